// What the buttons of a picture do.

import { get, post } from "../lib/api.js";
import { button, el } from "../lib/dom.js";
import { fetchFile } from "../lib/download.js";
import { attempt, toast } from "../lib/toast.js";

export const cancel = (run) => attempt(() => post(`/runs/${run.id}/cancel`));
export const newSeeds = (run) => attempt(() => post(`/runs/${run.id}/new-seeds`));
export const nearby = (run, field) => attempt(() => post(`/runs/${run.id}/nearby`, { field }));
export const repeat = (run) => attempt(() => post(`/runs/${run.id}/repeat`));
export const favourite = (run) => attempt(() => post(`/runs/${run.id}/favourite`, { on: !run.favourite }));

/** Ask once more. Where its settings are not allowed any more, a button offers `edit`, which puts them into the controls. */
export async function retry(run, edit) {
  try {
    return await post(`/runs/${run.id}/retry`);
  } catch (error) {
    toast(error.message, edit && error.issues?.length ? { name: "Edit settings", run: edit } : null);
    return null;
  }
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

