// |A − B|: computed by a worker, once for each pair and factor, and drawn where the pictures would lie.

import { el } from "../lib/dom.js";
import { placeFrame, write } from "./frame.js";

export const GAINS = [1, 4, 16];

export function newDifference() {
  const image = el("div", { class: "pg-difference-picture" });
  const label = el("figcaption", { class: "pg-frame-label" });
  const bar = el("div", { class: "pg-frame-bar" }, label);
  const element = el("figure", { class: "pg-frame pg-difference", hidden: true }, el("div", { class: "pg-frame-window" }, image), bar);
  const found = new Map(); // "media media gain" → { canvas, mean, most, ms } or a promise of it
  const frame = { element, image, bar, label };
  let worker = null;

  function compute(pictures, gain, key) {
    worker ??= new Worker(new URL("./difference-worker.js", import.meta.url), { type: "module" });
    const urls = pictures.map((picture) => new URL(picture.media, location.href).href);
    return new Promise((resolve, reject) => {
      const hear = ({ data }) => {
        if (data.key !== key) return;
        worker.removeEventListener("message", hear);
        if (data.error) return reject(new Error(data.error));
        const canvas = el("canvas", { width: pictures[0].width, height: pictures[0].height, role: "img", "aria-label": "Difference of A and B" });
        canvas.getContext("bitmaprenderer").transferFromImageBitmap(data.bitmap);
        resolve({ canvas, mean: data.mean, most: data.most, ms: data.ms });
      };
      worker.addEventListener("message", hear);
      worker.postMessage({ key, urls, gain });
    });
  }

  return {
    element,
    /** The pair's result: { mean, most } or { error }; null while it is computed, and then `onReady` is called. */
    result(view, onReady) {
      const key = keyOf(view);
      const known = found.get(key);
      if (known) return known.canvas || known.error ? known : null;
      if (![...found.keys()].some((other) => samePair(other, key))) found.clear(); // one pair's canvases at a time
      const work = compute(view.pictures, view.gain, key).catch((error) => ({ error: error.message }));
      found.set(key, work);
      work.then((result) => {
        if (found.get(key) === work) found.set(key, result);
        onReady();
      });
      return null;
    },
    draw(view, box, place, ratio) {
      element.hidden = view.mode !== "difference";
      if (element.hidden) return;
      const canvas = found.get(keyOf(view))?.canvas;
      if (canvas && image.firstChild !== canvas) image.replaceChildren(canvas);
      frame.picture = view.pictures[0];
      write(image, "width", `${view.pictures[0].width}px`);
      write(image, "height", `${view.pictures[0].height}px`);
      label.textContent = `|A − B| × ${view.gain}`;
      placeFrame(frame, box, place, ratio);
    },
  };
}

const keyOf = ({ pictures, gain }) => `${pictures[0].media} ${pictures[1]?.media} ${gain}`;
const samePair = (one, other) => one.slice(0, one.lastIndexOf(" ")) === other.slice(0, other.lastIndexOf(" "));
