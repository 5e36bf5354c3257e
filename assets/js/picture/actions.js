// What the buttons of a picture do.

import { get, post } from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { fetchFile } from "../lib/download.js";
import { hold, pay, pressOf } from "../lib/press.js";
import { attempt, toast } from "../lib/toast.js";

export const cancel = (run) => attempt(() => post(`/runs/${run.id}/cancel`));
/** What holds the buttons of a picture that make more, by action: new-seeds, nearby, repeat, retry. */
export const pressing = (action, run) => pressOf(pressName(action, run));
const pressName = (action, run) => `${action} ${run.id}`;
const make = (action, run, body) => hold(pressName(action, run), () => attempt(() => pay(`/runs/${run.id}/${action}`, body)));

export const newSeeds = (run) => make("new-seeds", run);
export const nearby = (run, field) => make("nearby", run, { field });
export const repeat = (run) => make("repeat", run);
export const favourite = (run) => attempt(() => post(`/runs/${run.id}/favourite`, { on: !run.favourite }));

/** Ask once more: Retry, or Send again for a run without an answer. Where its settings are not allowed any more, a button
 *  offers `edit`, which puts them into the controls. */
export const retry = (run, edit) => hold(pressName("retry", run), async () => {
  const path = `/runs/${run.id}/retry`;
  try {
    const answer = await pay(path);
    const found = run.state === "unknown" && answer.code === "taken";
    return found && (await sendsASecond()) ? await pay(path, { confirm: true }) : answer;
  } catch (error) {
    toast(error.message, edit && error.issues?.length ? { name: "Edit settings", run: edit } : null);
    return null;
  }
});

/** Whether the user sends a request again of which it was found meanwhile that fal has it. */
function sendsASecond() {
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "fal did take it" });
  const second = button("Send a second one", () => dialog.close("second"));
  const wait = button("Wait for it", () => dialog.close(), { class: "pg-button pg-primary" });
  dialog.append(
    el("h2", {}, "fal did take it"),
    el("p", {}, "This picture is being made and will appear here; nothing was sent again. A second one would cost as much again."),
    el("div", { class: "pg-dialog-buttons" }, second, wait),
  );
  document.body.append(dialog);
  dialog.showModal();
  wait.focus();
  return new Promise((done) => dialog.addEventListener("close", () => {
    dialog.remove();
    done(dialog.returnValue === "second");
  }));
}

export async function deleteRun(run) {
  if (!(await attempt(() => post(`/runs/${run.id}/delete`)))) return;
  toast("Deleted.", { name: "Undo", run: () => attempt(() => post(`/runs/${run.id}/restore`)) });
}

export function download(run) {
  if (run.gone) return toast(run.gone);
  fetchFile(`/runs/${run.id}/download`);
}

/** The address of this page with a picture's settings; names as in the API. */
export async function copyLink(run) {
  const found = await attempt(() => get(`/runs/${run.id}`));
  if (!found) return;
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(found.request)) {
    query.set(name, name === "image_size" && typeof value === "object" ? `${value.width}x${value.height}` : value);
  }
  await copy(`${location.origin}${location.pathname}?${query}`, "The link is copied.");
}

export async function copy(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    toast("The browser did not allow copying. Select the text and copy it by hand.");
    showText(text);
  }
}

function showText(text) {
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "Text to copy" }, el("textarea", { readonly: true, rows: 6 }));
  dialog.querySelector("textarea").value = text;
  dialog.append(el("div", { class: "pg-dialog-buttons" }, button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  dialog.querySelector("textarea").select();
}

const LANGUAGES = { python: "Python", javascript: "JavaScript", curl: "cURL" };

/** The code that makes this picture, in three languages. */
export function showCode(run) {
  const code = el("pre", { class: "pg-code", tabindex: "0", "aria-label": "Code" });
  const tabs = Object.entries(LANGUAGES).map(([language, name]) =>
    button(name, () => show(language), { role: "tab", "data-language": language, class: "pg-tab" }),
  );
  const dialog = el("dialog", { class: "pg-dialog pg-code-dialog", "aria-label": "Code for this picture" });
  const show = async (language) => {
    for (const tab of tabs) tab.setAttribute("aria-selected", String(tab.dataset.language === language));
    const found = await attempt(() => get(`/runs/${run.id}/snippet?language=${language}`));
    if (found) code.textContent = found.code;
  };
  dialog.append(
    el("div", { class: "pg-dialog-head" }, el("div", { role: "tablist", class: "pg-tabs", "aria-label": "Language" }, ...tabs)),
    code,
    el("div", { class: "pg-dialog-buttons" }, el("span", { class: "pg-muted" }, "Reads your key from FAL_KEY."), button("Close", () => dialog.close()), button("Copy", () => copy(code.textContent, "The code is copied."), { class: "pg-button pg-primary" })),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  show("python");
}

