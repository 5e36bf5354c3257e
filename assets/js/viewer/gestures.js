// Wheel, mouse and fingers on the stage. One finger or the mouse pans (or moves the divider), two pinch, a tap swaps.

const WHEEL = 0.0018;
const WHEEL_PINCH = 0.01; // a trackpad's pinch arrives as a wheel with Ctrl, in smaller steps
const LINE = 16;
const TAP_PX = 6;
const TAP_MS = 350;
const DIVIDER_PX = 28;

/** `act`: pan(dx, dy, event), zoom(factor, event) → whether anything was left to zoom, split(event), tap(), toggleZoom(event). */
export function listenToGestures(stage, act) {
  const pointers = new Map();
  let doing = null; // "pan" | "split"
  let pressed = null;

  stage.addEventListener("wheel", (event) => {
    const step = event.deltaY * (event.deltaMode === 1 ? LINE : 1) * (event.ctrlKey ? WHEEL_PINCH : WHEEL);
    // At the smallest zoom the wheel goes on scrolling the page, down to the table.
    if (act.zoom(Math.exp(-step), event) || event.deltaY < 0 || event.ctrlKey) event.preventDefault();
  }, { passive: false });

  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || event.target.closest("button")) return;
    pointers.set(event.pointerId, event);
    if (pointers.size > 1) return (pressed = null);
    stage.setPointerCapture(event.pointerId);
    pressed = event;
    doing = splits(stage, event) ? "split" : "pan";
    stage.dataset.doing = doing;
    if (doing === "split" && event.pointerType === "mouse") act.split(event);
  });

  stage.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    pointers.set(event.pointerId, event);
    if (pressed && far(pressed, event)) pressed = null;
    if (pointers.size === 2) pinch(before, event);
    else if (doing === "split") act.split(event);
    else act.pan(event.clientX - before.clientX, event.clientY - before.clientY, event);
  });

  function pinch(before, after) {
    const other = [...pointers.values()].find((pointer) => pointer.pointerId !== after.pointerId);
    const [from, to] = [middle(other, before), middle(other, after)];
    act.pan(to.clientX - from.clientX, to.clientY - from.clientY, to);
    act.zoom(distance(other, after) / Math.max(1, distance(other, before)), to);
  }

  function end(event) {
    if (!pointers.delete(event.pointerId)) return;
    const tapped = pressed && event.type === "pointerup" && event.timeStamp - pressed.timeStamp < TAP_MS;
    if (tapped) act.tap(event);
    pressed = null;
    if (!pointers.size) delete stage.dataset.doing;
  }
  stage.addEventListener("pointerup", end);
  stage.addEventListener("pointercancel", end);
  stage.addEventListener("dblclick", (event) => !event.target.closest("button") && act.toggleZoom(event));
}

/** Whether a drag moves the divider: in slider mode from anywhere, but on a zoomed picture only from near the divider;
 *  other drags pan. */
function splits(stage, event) {
  if (stage.dataset.mode !== "slider") return false;
  if (stage.dataset.zoomed !== "true") return true;
  const divider = stage.querySelector(".pg-divider").getBoundingClientRect();
  return Math.abs(event.clientX - (divider.left + divider.right) / 2) < DIVIDER_PX;
}

const distance = (one, other) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
const far = (one, other) => distance(one, other) > TAP_PX;
const middle = (one, other) => ({ clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2 });
