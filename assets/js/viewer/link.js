// The comparison in the address: the pictures, the mode, and the part in view. Everything else in the address stays.

import { GAINS } from "./difference.js";
import { MODES } from "./modes.js";

const OURS = ["compare", "mode", "align", "gain", "only", "zoom", "at"];

/** The view that the address asks for, without invalid values. */
export function readLink() {
  const query = new URLSearchParams(location.search);
  const view = {};
  const mode = query.get("mode");
  if (!query.has("compare")) return view;
  if (MODES.some(({ id }) => id === mode)) view.mode = mode;
  if (query.get("align") === "pixel") view.align = "pixel";
  if (GAINS.includes(Number(query.get("gain")))) view.gain = Number(query.get("gain"));
  if (query.get("only") === "1") view.only = true;
  const [zoom, [x, y]] = [Number(query.get("zoom")) / 100, (query.get("at") ?? "").split(",").map(Number)];
  if (zoom > 0 && x >= 0 && x <= 1 && y >= 0 && y <= 1) Object.assign(view, { zoom, x, y });
  return view;
}

/** This page's address with the comparison, or without any where `view` is null. */
export function address(ids, view) {
  const query = new URLSearchParams(location.search);
  if (!view && !query.has("compare")) return location.href;
  for (const name of OURS) query.delete(name);
  if (view) {
    query.set("compare", ids.join(","));
    query.set("mode", view.mode);
    if (view.align !== "fit") query.set("align", view.align);
    if (view.mode === "difference" && view.gain !== 1) query.set("gain", view.gain);
    if (view.only) query.set("only", "1");
    if (view.zoom !== null) {
      query.set("zoom", String(Math.round(view.zoom * 100)));
      query.set("at", `${view.x.toFixed(3)},${view.y.toFixed(3)}`);
    }
  }
  const text = query.toString().replaceAll("%2C", ",");
  return `${location.origin}${location.pathname}${text ? `?${text}` : ""}${location.hash}`;
}
