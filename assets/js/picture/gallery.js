// The gallery: the visitor's newest runs, a card each. A card is drawn anew only in the parts that changed.

import { cancel, favourite, pressing, retry } from "./actions.js";
import { comparison } from "../state/comparison.js";
import { button, el, icon, redraw, seconds } from "../lib/dom.js";
import { gridDesk } from "../state/desk-of-grids.js";
import { goneBadge } from "../header/removed.js";
import { selection } from "../state/selection.js";
import { countWords, drawStack, openInCompare, stackHead, stackOf, stateWords, titleOf } from "./stacks.js";
import { isLive, store } from "../state/store.js";
import { attempt } from "../lib/toast.js";
import { altText, liveWords, repeatNote, slotButtons } from "./words.js";

export function mountGallery(element, { trigger }) {
  const heading = el("div", { class: "pg-gallery-head" });
  const grid = el("div", { class: "pg-cards", role: "list", "aria-label": "Pictures", onkeydown: moveFocus });
  const end = el("div", { class: "pg-gallery-end" });
  element.append(heading, grid, end);
  const cards = new Map(); // run's id → its card
  const stacks = new Map(); // grid's id → its card
  const opened = new Map(); // grid's id → its place in the gallery while it is open

  const cardOf = (run) => {
    const node = cards.get(run.id) ?? newCard(run, cards);
    drawCard(node, run, trigger);
    return node;
  };
  const openGrid = (id) => {
    opened.set(id, el("div", { class: "pg-stack-open", role: "listitem", "data-grid-id": id }, el("div"), el("div", { class: "pg-cards", role: "list" })));
    attempt(() => store.loadGrid(id));
    draw();
    opened.get(id)?.querySelector(".pg-card-open")?.focus({ preventScroll: true });
  };
  const closeGrid = (id) => {
    opened.delete(id);
    draw();
    stacks.get(id)?.querySelector(".pg-card-open")?.focus();
  };
  const stackNode = (run) => {
    const stack = stackOf(run);
    const section = opened.get(run.grid);
    if (!section) {
      const node = drawStackCard(stacks.get(run.grid), stack, () => openGrid(run.grid));
      stacks.set(run.grid, node);
      return node;
    }
    section.setAttribute("aria-label", `Grid ${stack.title}`.trim());
    if (!section.firstChild.firstChild) section.firstChild.replaceWith(stackHead(null, stack, () => closeGrid(run.grid)));
    else stackHead(section.firstChild, stack, () => closeGrid(run.grid));
    place(section.lastChild, store.ofGrid(run.grid).map(cardOf));
    return section;
  };
  const draw = () => {
    const runs = store.items;
    drawHeading(heading, runs);
    place(grid, runs.map((run) => (store.isStacked(run) ? stackNode(run) : cardOf(run))));
    for (const [id, node] of cards) if (!node.isConnected) cards.delete(id);
    end.textContent = store.more ? "Loading more…" : "";
  };
  store.addEventListener("change", draw);
  selection.addEventListener("change", draw);
  comparison.addEventListener("change", draw);
  new IntersectionObserver(([seen]) => seen.isIntersecting && store.older(), { rootMargin: "600px" }).observe(end);
  setInterval(() => goOn(cards), 1000);
  draw();
}

/** Make `nodes` the only children, in this order, without touching those that are in place already. */
function place(parent, nodes) {
  const kept = new Set(nodes);
  for (const node of [...parent.children]) if (!kept.has(node)) node.remove();
  nodes.forEach((node, index) => parent.children[index] !== node && parent.insertBefore(node, parent.children[index] ?? null));
}

function drawStackCard(node, stack, open) {
  const compare = () => el("div", { class: "pg-card-compare" }, button("Open in Compare", () => openInCompare(stack.grid_id), { class: "pg-overlay pg-stack-compare" }));
  return drawStack(node, stack, {
    open,
    role: "listitem",
    parts: () => [compare()],
    foot: () => [el("span", { class: "pg-strong" }, titleOf(stack)), el("span", { class: "pg-card-time" }, stateWords(stack) || countWords(stack))],
  });
}

function drawHeading(heading, runs) {
  const each = runs.map((run) => (store.isStacked(run) ? stackOf(run) : { live: Number(isLive(run)), done: Number(run.state === "done") }));
  const [live, done] = ["live", "done"].map((name) => each.reduce((sum, one) => sum + one[name], 0));
  const name = store.projects.length ? store.projectName : "Newest";
  const words = [`${done}${store.more ? "+" : ""} ${done === 1 ? "picture" : "pictures"}`, live && `${live} running`].filter(Boolean).join(" · ");
  const chosen = comparison.ids.length;
  redraw(heading, { words, chosen, name, empty: !runs.length }, () => [
    runs.length && el("h2", {}, name),
    runs.length && el("span", { class: "pg-muted" }, words),
    chosen > 0 && el("span", { class: "pg-muted pg-gallery-chosen" }, `${chosen} to compare`),
    chosen > 0 && button("Clear", () => comparison.choose([])),
    chosen > 1 && button(`Compare ${chosen}`, () => comparison.open(comparison.ids), { class: "pg-button pg-primary" }),
  ]);
}

function newCard(run, cards) {
  const node = el("div", { class: "pg-card", role: "listitem", "data-run-id": run.id }, el("div", { class: "pg-card-picture" }), el("div", { class: "pg-card-foot" }));
  cards.set(run.id, node);
  return node;
}

function drawCard(node, run, trigger) {
  node.dataset.state = run.state;
  node.dataset.seed = run.seed ?? "";
  node.dataset.favourite = run.favourite;
  node.classList.toggle("pg-chosen", selection.chosen?.id === run.id);
  const [picture, foot] = node.children;
  const { state, thumb, favourite: starred, position, progress, note, failure, cancelling, seed } = run;
  const letter = comparison.letter(run.id);
  redraw(picture, { state, thumb, gone: run.gone, starred, position, progress, note, failure, cancelling, seed, letter }, () => [...pictureParts(run, trigger), repeatNote(run)]);
  redraw(foot, { state, seed, took: run.seconds }, () => [
    el("span", { class: "pg-figures", title: `Seed ${run.seed}` }, `seed ${run.seed}`),
    el("span", { class: "pg-figures pg-card-time" }, footWord(run)),
  ]);
}

function footWord(run) {
  if (run.state === "done") return run.seconds === null ? "" : seconds(run.seconds);
  if (isLive(run)) return elapsed(run);
  if (run.failure?.not_charged) return "failed · not charged";
  return { failed: "failed", cancelled: "cancelled", unknown: "unanswered" }[run.state];
}

const elapsed = (run) => (run.submitted_at ? `${Math.max(0, Math.round((Date.now() - Date.parse(run.submitted_at)) / 1000))} s` : "");

/** Update the times of running cards between changes. */
function goOn(cards) {
  for (const [id, node] of cards) {
    const run = store.runs.get(id);
    if (run && isLive(run)) node.querySelector(".pg-card-time").textContent = elapsed(run);
  }
}

function pictureParts(run, trigger) {
  if (run.state === "done") {
    return [
      el("button", { type: "button", class: "pg-card-open", "aria-label": `Show picture with seed ${run.seed}`, onclick: () => selection.choose(run.id) },
        el("img", { src: run.thumb, alt: altText(run), loading: "lazy", decoding: "async", draggable: "false" })),
      goneBadge(run),
      button("Favourite", () => favourite(run), { class: "pg-star", "aria-pressed": String(run.favourite) }, icon("star")),
      el("div", { class: "pg-card-compare" }, button("Sweep…", () => gridDesk.sweep(run), { class: "pg-overlay", title: "Sweep…: a grid of this picture with other settings" }, icon("grid")), ...slotButtons(run, "pg-overlay pg-overlay-slot"), tick(run)),
    ];
  }
  if (isLive(run)) {
    return [
      el("p", { class: "pg-card-words" }, liveWords(run)),
      el("div", { class: "pg-bar", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": run.progress === null ? null : String(Math.round(run.progress * 100)) },
        el("div", { style: `width:${Math.round((run.progress ?? 0) * 100)}%` })),
      run.cancelling ? null : button("Cancel", () => cancel(run), { class: "pg-button pg-corner" }),
    ];
  }
  const words = run.state === "cancelled" ? run.note || "Cancelled" : run.failure?.message ?? "";
  return [
    el("p", { class: "pg-card-words pg-card-failure", tabindex: "0" }, words),
    failureButton(run, trigger),
  ];
}

function tick(run) {
  const letter = comparison.letter(run.id);
  const shown = letter && letter > "B" ? letter : "✓";
  return button("Select to compare", () => comparison.toggle(run.id), { class: "pg-overlay", "aria-pressed": String(letter !== null) }, shown);
}

function failureButton(run, trigger) {
  const action = run.state === "cancelled" ? "Retry" : run.failure?.action;
  if (!action) return null;
  const run_ = action === "Edit settings" ? () => trigger("edit", { id: run.id }) : () => retry(run, () => trigger("reuse", { id: run.id }));
  return button(action, run_, pressing("retry", run));
}

/** Arrow keys move between the cards. */
function moveFocus(event) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: "row", ArrowUp: "-row" }[event.key];
  if (!step || !event.target.classList.contains("pg-card-open")) return;
  event.preventDefault();
  const all = [...event.currentTarget.querySelectorAll(".pg-card-open")];
  const columns = getComputedStyle(event.currentTarget).gridTemplateColumns.split(" ").length;
  const offset = step === "row" ? columns : step === "-row" ? -columns : step;
  const next = all[all.indexOf(event.target) + offset];
  next?.focus();
  if (next?.closest("[data-run-id]")) next.click();
}
