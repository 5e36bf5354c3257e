// The button Generate. It is never held and each press counts, but for a second click right after the first; unless
// something was typed or chosen in between. Gradio sends its presses: here they get their keys.

import { newKey, patiently } from "../lib/press.js";

const SAME_PRESS_MS = 400;
let counted = -Infinity; // when Generate was pressed, ms
let edited = -Infinity; // when a control was changed, ms

/** When the last press was, in ms of performance.now(). */
export const lastPress = () => counted;

export function watchGenerate() {
  document.addEventListener("click", (event) => {
    if (!event.target.closest?.("#generate")) return;
    if (performance.now() - counted < SAME_PRESS_MS && edited < counted) {
      event.stopImmediatePropagation();
      event.preventDefault();
    } else counted = performance.now();
  }, true);
  document.addEventListener("input", (event) => { if (event.target.closest?.("#controls")) edited = performance.now(); }, true);
  const plain = window.fetch;
  window.fetch = (asked, options) => {
    if (!isPress(asked, options)) return plain(asked, options);
    const headers = new Headers(options.headers);
    headers.set("Idempotency-Key", newKey());
    return patiently(() => plain(asked, { ...options, headers }));
  };
}

/** Whether this is Gradio's request for a press of Generate. */
function isPress(asked, options) {
  if (options?.method !== "POST" || typeof options.body !== "string" || !String(asked).includes("/gradio_api/")) return false;
  try {
    return JSON.parse(options.body).fn_index === pressFunction();
  } catch {
    return false;
  }
}

/** The number of the function that Gradio calls at a press of Generate. */
function pressFunction() {
  const { components, dependencies } = window.gradio_config;
  const button = components.find(({ props }) => props.elem_id === "generate").id;
  return dependencies.find(({ targets }) => targets.some(([id, event]) => id === button && event === "click")).id;
}
