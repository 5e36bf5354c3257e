// Originals that the server removed to save space are never removed silently: a notice tells of them until it is closed.

import { get } from "../lib/api.js";
import { button, el, kilobytes } from "../lib/dom.js";
import { notice } from "../lib/notices.js";
import { store } from "../state/store.js";
import { openUsage } from "./usage.js";

const SEEN = "playground-removed-seen";
const CALM_MS = 1000;
const gone = new Set();
let shown = null;
let timer = 0;

/** What a card says over its picture where that is not the original. */
export const goneBadge = (run) => run.gone && el("span", { class: "pg-gone", title: run.gone }, run.thumb.startsWith("data:") ? "no picture here" : "original removed");

/** Ask the server when the page opens, and whenever a card says that its original is gone. */
export function watchRemoved() {
  if (!localStorage.getItem(SEEN)) localStorage.setItem(SEEN, new Date().toISOString());
  look();
  store.addEventListener("change", () => {
    const before = gone.size;
    for (const run of store.runs.values()) if (run.gone) gone.add(run.id);
    if (gone.size === before) return;
    clearTimeout(timer);
    timer = setTimeout(look, CALM_MS);
  });
}

async function look() {
  const found = await get(`/usage/removed?since=${encodeURIComponent(localStorage.getItem(SEEN))}`).catch(() => null);
  if (!found?.originals) return;
  const words = `To stay within ${kilobytes(found.limit_bytes)} of pictures, the ${found.originals === 1 ? "original of 1 picture was" : `originals of ${found.originals.toLocaleString()} pictures were`} removed (${kilobytes(found.bytes)}), the oldest first, no favourites. Their entries and small copies are kept.`;
  shown?.remove();
  shown = notice();
  shown.append(el("span", {}, words),
    button("Storage", openUsage, { "aria-haspopup": "dialog" }),
    button("Close", () => {
      localStorage.setItem(SEEN, found.newest);
      shown.remove();
    }));
}
