// The viewer's keys. They belong to it only while it is seen, and never to what is written or to an open dialog.

import { button, el } from "./dom.js";
import { MODES } from "./viewer-modes.js";

const PAN_PX = 80;
const SPLIT = 0.02;
const STEP = 1.25;

const SHOWN = [
  ["1 – 4", "Slider, Side by side, Blink, Difference"],
  ["+  −", "Zoom in, out"],
  ["0", "Fit"],
  ["Z", "1:1, one pixel on one of the screen"],
  ["← ↑ → ↓", "Pan; in Slider ← → move the divider. With Shift in larger steps"],
  ["Space", "Blink: swap. With Shift backwards"],
  ["F", "Full screen"],
  ["?", "These keys"],
];

export function listenToKeys(viewer, act) {
  document.addEventListener("keydown", (event) => {
    if (!viewer.getClientRects().length || event.defaultPrevented || taken(event)) return;
    const done = press(event, viewer, act);
    if (done) event.preventDefault();
  });
}

/** Whether the key belongs to something else: a field, a dialog, a menu, the browser. */
function taken(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  if (document.querySelector("dialog[open], .pg-menu, [aria-modal=true]")) return true;
  return Boolean(event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable=true]"));
}

/** True where the key was the viewer's. */
function press(event, viewer, act) {
  const { key, shiftKey } = event;
  const mode = MODES[Number(key) - 1];
  if (mode) act.mode(mode.id);
  else if (key === "+" || key === "=") act.zoomIn(STEP);
  else if (key === "-" || key === "_") act.zoomOut(STEP);
  else if (key === "0") act.fit();
  else if (key === "z" || key === "Z") act.actual();
  else if (key === "f" || key === "F") act.full();
  else if (key === "?") act.keys();
  else if (key === "Escape") return act.leaveFull();
  else if (key === " ") return blinks(event, viewer) && act.swap(shiftKey ? -1 : 1);
  else return arrow(event, viewer, act);
  return true;
}

/** Space presses the button that has the focus; only the Blink button gives it back, since it is pressed already. */
function blinks({ target }, viewer) {
  const control = target.closest?.("button, a, label, input, summary, [role=tab]");
  return !control || (viewer.contains(control) && control.matches("[data-choice=blink][aria-pressed=true]"));
}

function arrow({ key, shiftKey, target }, viewer, act) {
  const [dx, dy] = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key] ?? [0, 0];
  const elsewhere = target !== document.body && !target.closest?.(".pg-viewer-stage, .pg-viewer-bar");
  if (elsewhere) return false;
  if (dx && act.splitBy(-dx * SPLIT * (shiftKey ? 5 : 1))) return true;
  if (target.closest?.(".pg-divider") && (key === "Home" || key === "End")) return act.splitBy(key === "Home" ? -1 : 1);
  return Boolean(dx || dy) && act.panBy(dx * PAN_PX * (shiftKey ? 4 : 1), dy * PAN_PX * (shiftKey ? 4 : 1));
}

export function showKeys() {
  const rows = SHOWN.flatMap(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)]);
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "Keys" }, el("h2", {}, "Keys"), el("dl", { class: "pg-keys" }, ...rows));
  dialog.append(el("div", { class: "pg-dialog-buttons" }, el("span", { class: "pg-muted" }, "The wheel and a pinch zoom, dragging pans, a double click switches between Fit and 1:1."), button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
