// The viewer's keys. They are handled only while it is visible, and never in a text field or an open dialog.
// header/keys.js lists them.

import { taken } from "../header/keys.js";
import { MODES } from "./modes.js";

const PAN_PX = 80;
const SPLIT = 0.02;
const STEP = 1.25;

export function listenToKeys(viewer, act) {
  document.addEventListener("keydown", (event) => {
    if (!viewer.getClientRects().length || event.defaultPrevented || taken(event)) return;
    const done = press(event, viewer, act);
    if (done) event.preventDefault();
  });
}

/** Handle a key. True where it was one of the viewer's. */
function press(event, viewer, act) {
  const { key, shiftKey } = event;
  const mode = MODES[Number(key) - 1];
  if (mode) act.mode(mode.id);
  else if (key === "+" || key === "=") act.zoomIn(STEP);
  else if (key === "-" || key === "_") act.zoomOut(STEP);
  else if (key === "0") act.fit();
  else if (key === "z" || key === "Z") act.actual();
  else if (key === "f" || key === "F") act.full();
  else if (key === "Escape") return act.leaveFull();
  else if (key === " ") return blinks(event, viewer) && act.swap(shiftKey ? -1 : 1);
  else return arrow(event, viewer, act);
  return true;
}

/** Whether Space swaps: not while a control has the focus, which Space presses, except on the active Blink button. */
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
