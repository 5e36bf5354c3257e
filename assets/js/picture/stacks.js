// A grid's runs as one card: a mosaic of its newest pictures and how many there are.

import { button, el, redraw } from "../lib/dom.js";
import { isLive, store } from "../state/store.js";

const MOSAIC = 4;

/** A grid's stack as the server counted it; for a grid just begun, counted from the runs that this page knows. */
export function stackOf(run, stacks = store.stacks) {
  const counted = stacks.get(run.grid);
  if (counted) return counted;
  const known = store.ofGrid(run.grid);
  return {
    grid_id: run.grid,
    title: "",
    count: known.length,
    hits: known.length,
    live: known.filter(isLive).length,
    done: known.filter((one) => one.state === "done").length,
    failed: known.filter((one) => ["failed", "unknown"].includes(one.state)).length,
    thumbs: known.filter((one) => one.thumb).slice(0, MOSAIC).map((one) => one.thumb),
  };
}

const pictures = (count) => `${count.toLocaleString()} ${count === 1 ? "picture" : "pictures"}`;

/** "15 pictures", or with a search "4 of 15 pictures". */
export const countWords = ({ hits, count }) => (hits < count ? `${hits.toLocaleString()} of ${pictures(count)}` : pictures(count));

/** How many of its runs are under way or failed, in words. */
export const stateWords = ({ live, failed }) => [live && `${live} running`, failed && `${failed} failed`].filter(Boolean).join(" · ");

export const titleOf = (stack) => stack.title || "Grid";

export function openInCompare(id) {
  document.dispatchEvent(new CustomEvent("playground-open-grid", { detail: { grid: id } }));
}

/** Draw a closed stack; `parts` are laid over its picture, `foot` stands under it. */
export function drawStack(node, stack, { open, parts = () => [], foot, key = null, className = "", role = "article" }) {
  node ??= el("div", { class: `pg-card pg-stack ${className}`, role, "data-grid-id": stack.grid_id }, el("div", { class: "pg-card-picture" }), el("div", { class: "pg-stack-foot" }));
  const [picture, words] = node.children;
  node.dataset.live = stack.live;
  const { thumbs, live } = stack;
  redraw(picture, { thumbs, name: nameOf(stack), none: !thumbs.length && live, key }, () => [
    el("button", { type: "button", class: "pg-card-open", "aria-label": nameOf(stack), "aria-expanded": "false", onclick: open }, mosaic(stack)),
    ...parts(),
  ]);
  redraw(words, stack, () => foot());
  return node;
}

const nameOf = (stack) => `Open grid ${stack.title}, ${countWords(stack)}`.replace(" ,", ",");

function mosaic({ thumbs, live }) {
  if (!thumbs.length) return el("span", { class: "pg-card-words" }, live ? "Pictures are on their way" : "No picture");
  return el("span", { class: "pg-mosaic", "data-count": thumbs.length }, ...thumbs.map((src) => el("img", { src, alt: "", loading: "lazy", decoding: "async", draggable: "false" })));
}

/** Above the pictures of an open stack: what it is, and what can be done with it. */
export function stackHead(node, stack, close) {
  node ??= el("div");
  node.classList.add("pg-stack-head");
  redraw(node, stack, () => [
    el("h3", {}, titleOf(stack)),
    el("span", { class: "pg-muted" }, [countWords(stack), stateWords(stack)].filter(Boolean).join(" · ")),
    el("span", { class: "pg-h-gap" }),
    button("Open in Compare", () => openInCompare(stack.grid_id)),
    button("Close", close, { label: "Close grid" }, "Close"),
  ]);
  return node;
}
