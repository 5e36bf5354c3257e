// The header: name, cost and count of this visit, the engine, and the visitor's own key.

import { post, remove } from "../lib/api.js";
import { button, el, icon, money, redraw } from "../lib/dom.js";
import { forgetDraft } from "../state/draft.js";
import { showKeys } from "./keys.js";
import { projectButton } from "./projects.js";
import { store } from "../state/store.js";
import { attempt, toast } from "../lib/toast.js";
import { openUsage } from "./usage.js";

export function mountHeader(element, { trigger }) {
  const [offline, visited, project, badge] = [0, 1, 2, 3].map(() => el("span", { class: "pg-chip-place" }));
  const help = button("?", showKeys, { label: "Keys and notices", title: "Keys and notices (?)", "aria-haspopup": "dialog", class: "pg-button pg-help-button" });
  const key = button("Key", openKeys, { "aria-haspopup": "dialog" });
  const code = button("Code", () => trigger("code_base", {}), { label: "Use it from code", title: "Python, cURL, MCP and fal's own clients, with the settings in the controls", "aria-haspopup": "dialog", class: "pg-button pg-code-button" }, icon("code"), el("span", {}, "Code"));
  element.append(el("h1", { class: "pg-brand" }, "FLUX.2 [flex]"), el("div", { class: "pg-chips" }, offline, visited, project, badge, code, key, help));
  // Each part is drawn anew only when it changes: the focus stays on a button while pictures arrive.
  const draw = () => {
    const { visit, engine, online, loaded, projectName } = store;
    redraw(offline, { online }, () => (online ? [] : [el("span", { class: "pg-chip pg-offline", role: "status" }, "Reconnecting…")]));
    redraw(visited, { visit, engine, loaded }, () => (loaded ? [visitChip(visit, engine)] : []));
    redraw(project, { projectName, loaded }, () => (loaded ? [projectButton()] : []));
    redraw(badge, { engine, loaded }, () => (loaded ? [engineBadge(engine)] : []));
  };
  store.addEventListener("change", draw);
  store.addEventListener("change", tellNotice);
  store.addEventListener("erased", forgetBrowser);
  draw();
}

function visitChip({ cost_usd, pictures }, engine) {
  const words = `${engine === "demo" ? "$0" : money(cost_usd)} · ${pictures} ${pictures === 1 ? "picture" : "pictures"}`;
  return el("button", { type: "button", class: "pg-chip pg-figures pg-visit", "aria-haspopup": "dialog", title: "Pictures of this visit, and what they are estimated to cost. Press for spend and storage.", onclick: openUsage }, words);
}

function engineBadge(engine) {
  const demo = engine === "demo";
  const title = demo ? "Procedural pictures painted on this machine, for free. Enter a fal key for the real model." : "Pictures come from fal";
  return el("span", { class: `pg-chip pg-engine pg-engine-${engine}`, title }, demo ? "Demo engine" : "fal");
}

/** Show the server's notice for all visitors, until it is closed in this tab. */
function tellNotice() {
  if (!store.notice || sessionStorage.getItem("playground-notice") === store.notice || document.querySelector(".pg-notice")) return;
  const told = store.notice;
  const notice = el("div", { class: "pg-notice", role: "alert" }, el("span", {}, told), button("Close", () => {
    sessionStorage.setItem("playground-notice", told);
    notice.remove();
  }, { label: "Close this notice" }));
  document.body.append(notice);
}

function openKeys() {
  const input = el("input", { type: "password", id: "pg-key", autocomplete: "off", spellcheck: "false", "aria-describedby": "pg-key-help" });
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "fal key" });
  const close = () => dialog.close();
  const save = async (event) => {
    event.preventDefault();
    const key = input.value;
    input.value = "";
    if (await attempt(() => post("/key", { key }))) {
      close(); // before the toast: whoever reads it may go on at once
      toast("Your key is in use. Pictures now come from fal.");
      await store.refresh();
      document.dispatchEvent(new CustomEvent("playground-engine"));
    }
  };
  const forget = async () => {
    if (await attempt(() => remove("/key"))) {
      close();
      toast("Your key is forgotten.");
      await store.refresh();
    }
  };
  dialog.append(
    el("h2", {}, "Your fal key"),
    el("p", { id: "pg-key-help" }, "It is held in this server's memory only, used for your own pictures, and forgotten after 12 hours without use. Make one at fal.ai/dashboard/keys."),
    ...(store.ownKey ? [el("p", { class: "pg-strong" }, "A key of yours is in use.")] : []),
    el(
      "form",
      { onsubmit: save },
      el("label", { for: "pg-key" }, "Key"),
      input,
      el("div", { class: "pg-dialog-buttons" }, store.ownKey && button("Forget key", forget), button("Close", close), el("button", { type: "submit", class: "pg-button pg-primary" }, "Use this key")),
    ),
  );
  if (store.ownHistory) dialog.append(deletion());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** Deletes everything that is kept of this visitor, after a second press. */
function deletion() {
  const place = el("div", { class: "pg-deletion" });
  const ask = () => {
    const sure = button("Delete everything", erase, { class: "pg-button pg-danger" });
    place.replaceChildren(
      el("p", { class: "pg-strong", role: "alert" }, "All your pictures, their settings, grids, projects and your key go for good, and what is still being made is cancelled. This cannot be undone."),
      ...leftElsewhere().map((words) => el("p", { class: "pg-muted" }, words)),
      el("div", { class: "pg-dialog-buttons" }, button("Keep everything", start), sure),
    );
    sure.focus();
  };
  const start = () => place.replaceChildren(el("h2", {}, "Your data"), el("p", {}, "Your pictures and settings are kept on this server, for this browser."), button("Delete all my data", ask));
  start();
  return place;
}

/** What this server cannot take back. */
function leftElsewhere() {
  const days = store.backupDays;
  const until = days && new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(Date.now() + (days + 1) * 24 * 3600 * 1000);
  return [
    until && `Backups of this server hold them until ${until}; what is restored from one is erased again.`,
    store.engine === "fal" && "fal keeps what was sent to it by its own rules: a request about 30 days, its picture a week or longer, in the account whose key paid. Pictures made with “Keep out of fal’s history” are not listed there.",
  ].filter(Boolean);
}

async function erase() {
  if (!(await attempt(() => remove("/my-data")))) return;
  store.tellErased();
  forgetBrowser();
}

/** Nothing stays in this browser: no draft, no recent prompt, no token. In each tab, for each has a storage of its own. */
export function forgetBrowser() {
  forgetDraft();
  localStorage.clear();
  sessionStorage.clear();
  location.replace("/");
}
