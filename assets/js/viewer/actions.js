// What buttons, keys and gestures can do to the view. Where a caller needs it, an action returns whether it changed
// anything.

import { copy } from "../picture/actions.js";
import { comparison } from "../state/comparison.js";
import { toast } from "../lib/toast.js";
import { panned, scales, zoomedAt, ZOOM_MOST } from "./geometry.js";
import { showKeys } from "../header/keys.js";
import { address } from "./link.js";
import { obstacle } from "./modes.js";
import { pickPictures } from "./picker.js";

const STEP = 1.25;
const MIDDLE = { x: 0, y: 0, of: 0 };
const NEARLY_FULL = 0.95; // from this scale on Fit is about 1:1: a double click then doubles it instead of going to 1:1

export function actionsOf(viewer) {
  const { stage } = viewer;
  const lie = () => [viewer.view.pictures, viewer.box(), viewer.view, devicePixelRatio];

  function zoom(factor, event = null) {
    const before = viewer.view.zoom;
    const point = event ? stage.at(viewer.view, event) : MIDDLE;
    viewer.change(zoomedAt(...lie(), factor, point, point.of));
    return viewer.view.zoom !== before;
  }

  function pan(dx, dy, of = 0) {
    const { x, y } = viewer.view;
    viewer.change(panned(...lie(), dx, dy, of));
    return viewer.view.x !== x || viewer.view.y !== y;
  }

  const fit = () => viewer.change({ zoom: null, x: 0.5, y: 0.5 });
  const split = (share) => viewer.change({ split: Math.min(1, Math.max(0, share)) });

  /** A swap by hand stops the automatic one. */
  function swap(step) {
    if (viewer.view.mode !== "blink") return false;
    viewer.swap(step);
    if (viewer.view.hz) viewer.change({ hz: 0 });
    return true;
  }

  function toggleZoom(event) {
    if (viewer.view.mode === "blink") return; // there a click swaps
    if (viewer.view.zoom !== null) return fit();
    const [pictures, box, view, ratio] = lie();
    const whole = scales(pictures, box, view, ratio).fit * ratio;
    zoom(Math.min(ZOOM_MOST, whole < NEARLY_FULL ? 1 : whole * 2) / whole, event);
  }

  function full() {
    viewer.setFull(!viewer.full);
    // Where the browser refuses, as in some iframes, the viewer still fills the window.
    if (viewer.full) document.documentElement.requestFullscreen?.().catch(() => {});
  }

  function mode(mode, event = null) {
    const reason = obstacle(mode, viewer.view.pictures);
    if (reason) return toast(reason);
    viewer.change({ mode, shown: 0 });
    if (event?.detail) stage.element.focus({ preventScroll: true }); // pressed with the mouse: keys go to the stage
  }

  return {
    change: (patch) => viewer.change(patch),
    mode,
    fit,
    zoom,
    toggleZoom,
    full,
    actual: () => viewer.change({ zoom: 1 }),
    zoomIn: () => zoom(STEP),
    zoomOut: () => zoom(1 / STEP),
    pan: (dx, dy, event) => pan(dx, dy, stage.at(viewer.view, event).of),
    panBy: (dx, dy) => pan(dx, dy),
    split: (event) => split(stage.splitAt(event)),
    splitBy: (share) => viewer.view.mode === "slider" && (split(viewer.view.split + share), true),
    swap,
    tap: () => swap(1),
    add: () => pickPictures(comparison.ids, (ids) => comparison.choose(ids)),
    copyLink: () => copy(address(comparison.ids, viewer.view), "The link is copied."),
    copyTable: () => copy(viewer.data.markdown, "The table is copied as Markdown."),
    leaveFull: () => viewer.full && (viewer.setFull(false), true),
    keys: showKeys,
  };
}
