// "Use it from code": code that makes a picture with the controls' settings, through this app and without it.

import { copy } from "../picture/actions.js";
import { post } from "../lib/api.js";
import { button, el, redraw } from "../lib/dom.js";
import { attempt } from "../lib/toast.js";

/** The examples for `request`, the settings by fal's names. */
export async function openCode(request) {
  const ask = (withToken) => attempt(() => post("/code", { request, address: location.origin, with_token: withToken }));
  let found = await ask(false);
  if (!found) return;
  let shown = found.examples[0].id;
  let withToken = false;

  const tabs = el("div", { class: "pg-code-groups" });
  const code = el("pre", { class: "pg-code", tabindex: "0", "aria-label": "Code" });
  const note = el("span", { class: "pg-muted" });
  const history = el("div", { class: "pg-code-history" });
  const example = () => found.examples.find(({ id }) => id === shown);
  const choose = (id) => {
    shown = id;
    draw();
  };
  const useToken = async (wanted) => {
    const again = await ask(wanted);
    if (!again) return;
    [found, withToken] = [again, wanted];
    draw();
  };
  const draw = () => {
    redraw(tabs, shown, () => groups(found.examples, shown, choose));
    redraw(history, [withToken, found.own_history, example().group], () => (example().group === found.examples[0].group ? historyWords(found.own_history, withToken, useToken) : []));
    code.textContent = example().code;
    note.textContent = example().note;
    tabs.querySelector("[aria-pressed=true]")?.focus({ preventScroll: true });
  };

  const dialog = el("dialog", { class: "pg-dialog pg-code-dialog", "aria-label": "Use it from code" },
    el("h2", {}, "Use it from code"),
    el("p", {}, "With the settings that are in the controls now."),
    tabs, code, history,
    el("div", { class: "pg-dialog-buttons" }, note, button("Close", () => dialog.close()), button("Copy", () => copy(code.textContent, "The code is copied."), { class: "pg-button pg-primary" })));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  draw();
}

/** A row of buttons for each group of examples. */
function groups(examples, shown, choose) {
  return [...new Set(examples.map(({ group }) => group))].map((group) => el("div", { class: "pg-code-group" },
    el("span", { class: "pg-muted" }, group),
    el("div", { role: "group", class: "pg-tabs", "aria-label": group },
      ...examples.filter((one) => one.group === group).map(({ id, name }) => button(name, () => choose(id), { class: "pg-tab", "aria-pressed": String(id === shown) })))));
}

/** Whose history the pictures go to. The token is shown on request only. */
function historyWords(own, withToken, useToken) {
  if (!own) return [el("p", {}, "This server keeps one history for all: what your code makes is in it.")];
  if (!withToken) return [el("p", {}, "Pictures made like this belong to nobody. With your token they come to your history."), button("Show my token", () => useToken(true))];
  return [
    el("p", { class: "pg-strong", role: "alert" }, "The token in the code is a secret: whoever has it sees, changes and deletes your pictures. Give it to no one and commit it nowhere."),
    button("Hide my token", () => useToken(false)),
  ];
}
