// The project in the header: chosen, made, renamed; and the menu that asks into which one pictures are moved.

import { get } from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { openMenu } from "../lib/menu.js";
import { store } from "../state/store.js";
import { attempt, deleted, toast } from "../lib/toast.js";

const NAME_MAX = 60;

export function projectButton() {
  const name = store.projectName;
  return button("Project", (event) => openMenu(event.currentTarget, items(), "pg-project-menu"), { label: `Project: ${name}`, "aria-haspopup": "menu", title: `Project: ${name}`, class: "pg-button pg-project" },
    el("span", { class: "pg-project-word" }, "Project: "), el("span", { class: "pg-project-name", dir: "auto" }, name), el("span", { "aria-hidden": "true" }, "▾"));
}

function items() {
  const choice = (id, name) => ({ name, checked: store.project === id, run: () => attempt(() => store.choose(id)) });
  const own = store.projects.find(({ id }) => id === store.project);
  return [
    choice("inbox", "Inbox"),
    ...store.projects.map(({ id, name }) => choice(id, name)),
    choice("all", "All projects"),
    { name: "New project…", apart: true, run: () => askForName("New project", "", (name) => store.makeProject(name)) },
    own && { name: "Rename…", run: () => askForName("Rename the project", own.name, (name) => store.renameProject(own.id, name)) },
    own && { name: "Delete…", danger: true, run: () => askForDeletion(own) },
  ].filter(Boolean);
}

/** Menu items that call `move(id)` for a project, or for a new one that is made first. */
export function moveItems(move) {
  return [
    { name: "Inbox", run: () => move("inbox") },
    ...store.projects.map(({ id, name }) => ({ name, run: () => move(id) })),
    { name: "New project…", apart: true, run: () => askForName("New project", "", async (name) => move(await store.makeProject(name, false))) },
  ];
}

const pictures = (count) => `${count.toLocaleString()} ${count === 1 ? "picture" : "pictures"}`;

/** What becomes of a project's pictures is asked; the rest is undone by the toast. */
async function askForDeletion({ id, name }) {
  const found = await attempt(() => get(`/history/count?project=${id}`));
  if (!found) return;
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "Delete the project" });
  const choices = [["move", "Move to the Inbox"], ["delete", "Delete as well"]].map(([value, words]) =>
    el("label", { class: "pg-choice" }, el("input", { type: "radio", name: "pg-project-pictures", value, checked: value === "move" }), words));
  const remove = async (event) => {
    event.preventDefault();
    const chosen = dialog.querySelector("input:checked")?.value ?? "move";
    dialog.close();
    const done = await attempt(() => store.deleteProject(id, chosen));
    if (!done) return;
    const became = done.count ? ` ${pictures(done.count)} ${chosen === "move" ? (done.count === 1 ? "is in the Inbox." : "are in the Inbox.") : (done.count === 1 ? "is deleted too." : "are deleted too.")}` : "";
    deleted(`The project “${name}” is deleted.${became}`, () => store.restoreProject(id));
  };
  dialog.append(
    el("h2", { dir: "auto" }, `Delete “${name}”`),
    el("form", { onsubmit: remove },
      found.total > 0 ? el("fieldset", { class: "pg-choices" }, el("legend", {}, `It holds ${pictures(found.total)}`), ...choices) : el("p", {}, "It holds no pictures."),
      el("div", { class: "pg-dialog-buttons" }, button("Cancel", () => dialog.close()), el("button", { type: "submit", class: "pg-button pg-danger" }, "Delete"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

function askForName(title, value, use) {
  const input = el("input", { id: "pg-project-name", type: "text", maxlength: NAME_MAX, autocomplete: "off", dir: "auto", "aria-describedby": "pg-project-fault" });
  input.value = value;
  const fault = el("p", { class: "pg-issue", id: "pg-project-fault", role: "alert" });
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": title });
  const save = async (event) => {
    event.preventDefault();
    try {
      await use(input.value);
      dialog.close();
      toast(value ? "Renamed." : `The project “${input.value.trim()}” is made.`);
    } catch (error) {
      fault.textContent = error.message;
      input.focus();
    }
  };
  dialog.append(
    el("h2", {}, title),
    el("form", { onsubmit: save },
      el("label", { for: "pg-project-name" }, "Name"), input, fault,
      el("div", { class: "pg-dialog-buttons" }, button("Cancel", () => dialog.close()), el("button", { type: "submit", class: "pg-button pg-primary" }, value ? "Rename" : "Make it"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  input.select();
}
