// What Gradio's components do not do themselves: names of groups, errors at their control, Ctrl/Cmd+Enter.

import { el } from "../lib/dom.js";
import { lastPress, watchGenerate } from "./generate.js";
import { gridDesk } from "../state/desk-of-grids.js";
import { rememberPrompt } from "./prompts.js";
import { toast } from "../lib/toast.js";

const edited = new WeakMap(); // field → when something was typed into it, ms

const fieldOf = (name) => document.getElementById(`field-${name}`);

export function prepareCreate() {
  const complete = () => {
    nameGroups();
    describe();
  };
  complete();
  new MutationObserver(complete).observe(document.body, { childList: true, subtree: true });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
    if (!event.target.closest("#create")) return;
    event.preventDefault();
    // Snap the value, as on leaving the control.
    if (event.target.matches("input")) event.target.dispatchEvent(new FocusEvent("blur"));
    document.getElementById("generate")?.click();
  });
  watchGenerate();
  document.addEventListener("blur", keepOutOfRange, true);
  document.addEventListener("input", (event) => {
    const field = event.target.closest?.(".pg-field");
    if (field) {
      edited.set(field, performance.now());
      clearIssue(field);
    }
    const side = event.target.closest?.("#field-width, #field-height");
    if (side) sizeNote({ side: side.id.replace("field-", ""), text: "" });
  });
}

/** gr.Radio is a nameless group: give it its label as a name. */
function nameGroups() {
  for (const group of document.querySelectorAll("fieldset.pg-field:not([aria-label])")) {
    group.setAttribute("aria-label", group.querySelector("[data-testid=block-info]").textContent.trim());
  }
}

/** A field's help becomes its description, and its label's tooltip. */
function describe() {
  for (const help of document.querySelectorAll(".pg-help:not([data-tied])")) {
    const field = fieldOf(help.id.replace("help-", ""));
    if (!field) continue;
    help.dataset.tied = "";
    (field.matches("fieldset") ? field : field.querySelector("textarea, input")).setAttribute("aria-describedby", help.id);
    field.querySelector("[data-testid=block-info], label")?.setAttribute("title", help.textContent.trim());
  }
}

/** A handler's message: errors at their controls, what was asked for, or a sentence. Where it replaced what was in the
 *  controls, Undo puts that back. */
export function showMessage({ issues, checked, of_press: ofPress, error, refused, said, size_notes, asked, grid_base, code_base, undo }, trigger) {
  if (issues || asked) {
    for (const field of document.querySelectorAll(".pg-field")) {
      if (!checked || checked.includes(field.id.replace("field-", ""))) clearIssue(field);
    }
  }
  // A field that was edited after the press may no longer be at fault.
  const stands = ({ field }) => !ofPress || !(edited.get(fieldOf(field)) > lastPress());
  for (const [index, issue] of (issues ?? []).filter(stands).entries()) showIssue(issue, index === 0 && !checked);
  if (!checked) sayRefused(refused);
  const putBack = undo ? { name: "Undo", run: () => trigger("put_back", { values: undo }) } : null;
  if (undo) rememberPrompt(undo.prompt);
  if (error) toast(error, putBack);
  if (said) {
    toast(said, putBack);
    document.getElementById("controls").scrollIntoView({ block: "nearest" });
  }
  for (const note of size_notes ?? []) sizeNote(note);
  if (grid_base) gridDesk.fromControls(grid_base);
  if (code_base) import("./code.js").then(({ openCode }) => openCode(code_base)).catch((failure) => toast(failure.message));
  if (asked) document.dispatchEvent(new CustomEvent("playground-asked", { detail: asked }));
}

/** Show above the button why Generate was refused where no control is at fault: no key, or a budget. Without a text,
 *  remove the previous one. */
function sayRefused(text) {
  const bar = document.getElementById("generate-bar");
  bar.querySelector(".pg-issue")?.remove();
  if (text) bar.prepend(el("p", { class: "pg-issue", role: "alert" }, text));
}

function showIssue({ field: name, message }, focus) {
  const field = fieldOf(name);
  if (!field) return toast(message);
  clearIssue(field);
  field.closest("#advanced")?.querySelector("button[aria-expanded='false'], button.label-wrap:not(.open)")?.click();
  field.classList.add("pg-at-fault");
  field.append(el("p", { class: "pg-issue", role: "alert", id: `issue-${name}` }, message));
  for (const control of field.querySelectorAll("input, textarea")) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-describedby", `issue-${name}`);
  }
  if (focus) {
    field.scrollIntoView({ block: "nearest" });
    field.querySelector("input, textarea")?.focus({ preventScroll: true });
  }
}

/** Gradio's slider would set a number beyond its range to the nearest allowed one, without a word. Keep what was typed
 *  and name the limit instead; if Generate is pressed anyway, the server reports the same. */
function keepOutOfRange(event) {
  const input = event.target;
  const field = input.closest?.(".pg-field");
  if (input.type !== "number" || !field?.querySelector("input[type=range]") || input.value === "") return;
  const [value, low, high] = [input.value, input.min, input.max].map(Number);
  if (value >= low && value <= high) return;
  event.stopPropagation();
  const label = field.querySelector("[data-testid=block-info]").textContent.trim();
  const fault = value > high ? `above ${high}` : `below ${low}`;
  showIssue({ field: field.id.replace("field-", ""), message: `${label}: ${value} is ${fault}. Allowed are ${low} to ${high}.` }, false);
}

function clearIssue(field) {
  if (!field.classList.contains("pg-at-fault")) return;
  field.classList.remove("pg-at-fault");
  field.querySelector(".pg-issue")?.remove();
  for (const control of field.querySelectorAll("[aria-invalid]")) {
    control.removeAttribute("aria-invalid");
    const help = document.getElementById(field.id.replace("field-", "help-"));
    if (help) control.setAttribute("aria-describedby", help.id);
    else control.removeAttribute("aria-describedby");
  }
}

/** A note on how a side was snapped; it stays until that side is edited. */
function sizeNote({ side, text }) {
  const row = document.getElementById("custom-size");
  row.querySelector(`.pg-size-note[data-side="${side}"]`)?.remove();
  if (text) row.append(el("p", { class: "pg-size-note", role: "status", "data-side": side }, text));
}
