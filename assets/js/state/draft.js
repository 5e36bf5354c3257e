// Keeps the controls' values over a reload, in this browser tab only. No control holds a key, so none is kept.

import { rememberPrompt } from "../create/prompts.js";

const KEPT = "playground-draft";
let keeping = false;

/** Fill the controls with the settings in the address (`?prompt=…&seed=…`), else put the draft back; from then on keep
 *  what is in them. */
export function startDraft(trigger, settings) {
  const draft = kept();
  const asked = Object.fromEntries(new URLSearchParams(location.search));
  if (Object.keys(asked).some((name) => settings.includes(name))) {
    rememberPrompt(draft.prompt);
    trigger("link", { values: asked });
  } else if (differs(draft, readControls())) trigger("put_back", { values: draft });
  keeping = true;
  document.addEventListener("input", (event) => event.target.closest?.("#create") && keep());
  addEventListener("pagehide", keep);
}

export function forgetDraft() {
  keeping = false;
  sessionStorage.removeItem(KEPT);
}

const kept = () => JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
const differs = (draft, now) => Object.entries(draft).some(([name, value]) => value !== now[name]);

/** Controls that are not built yet keep the value that they had. */
function keep() {
  if (keeping) sessionStorage.setItem(KEPT, JSON.stringify({ ...kept(), ...readControls() }));
}

/** { name: value } of every control, by the names that the handlers know. */
function readControls() {
  const values = {};
  for (const field of document.querySelectorAll("#create .pg-field")) {
    const value = readField(field);
    if (value !== undefined) values[field.id.replace("field-", "")] = value;
  }
  return values;
}

function readField(field) {
  const radios = field.querySelectorAll("input[type=radio]");
  if (radios.length) return [...radios].find((radio) => radio.checked)?.value;
  const number = field.querySelector("input[type=number]");
  if (number) return number.value === "" ? null : Number(number.value);
  return field.querySelector("input[type=checkbox]")?.checked ?? field.querySelector("textarea")?.value;
}
