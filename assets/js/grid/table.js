// The cells of a grid as a table with sticky headings; z as tabs, or as tables one under the other.

import { cancel, pressing, retry } from "../picture/actions.js";
import { comparison } from "../state/comparison.js";
import { button, el, redraw } from "../lib/dom.js";
import { altText, liveWords } from "../picture/words.js";
import { gridDesk as desk } from "../state/desk-of-grids.js";
import { isLive } from "../state/store.js";

const LEAST = 104; // pixels a cell is wide at least; then the table scrolls
const MOST = 340;

/** `open(at)` shows the details of the cell at that place of the plan. */
export function newTable(open) {
  const element = el("div", { class: "pg-grid-tables", onkeydown: moveFocus });
  const cells = []; // nodes in the plan's order
  const drawn = []; // what each was drawn from, so that of a thousand cells only changed ones are redrawn
  let stacked = false;
  let shown = 0; // the index on Z that is shown while Z is tabs

  let runs = [];

  function draw(newest = runs) {
    runs = newest;
    const { grid } = desk;
    element.hidden = !grid;
    if (!grid) return;
    const [x, y, z] = grid.axes;
    const shape = { id: grid.id, axes: grid.axes.map(({ field, labels }) => [field, labels]), stacked, shown, cells: grid.cells.length };
    redraw(element, shape, () => {
      measure();
      return build(x, y, z);
    });
    cells.forEach((node, at) => node && drawCell(node, at));
  }

  function build(x, y, z) {
    cells.length = drawn.length = 0;
    const depth = z?.labels.length ?? 1;
    shown = Math.min(shown, depth - 1);
    const layers = Array.from({ length: depth }, (_, at) => at).filter((at) => !z || stacked || at === shown);
    return [z && zBar(z), ...layers.map((at) => layer(x, y, z, at))];
  }

  function zBar(z) {
    const tabs = z.labels.map((label, at) => button(label, () => { shown = at; draw(); }, { class: "pg-tab", role: "tab", "aria-selected": String(at === shown), dir: "auto" }));
    const stack = button(stacked ? "As tabs" : "All at once", () => { stacked = !stacked; draw(); });
    return el("div", { class: "pg-grid-z" }, el("span", { class: "pg-muted" }, z.label), !stacked && el("div", { class: "pg-tabs", role: "tablist", "aria-label": z.label }, ...tabs), stack);
  }

  function layer(x, y, z, depth) {
    const rows = (y?.labels ?? [""]).map((label, row) =>
      el("tr", {}, y && el("th", { scope: "row" }, heading(y, label)), ...x.labels.map((_, column) => {
        const at = (depth * (y?.labels.length ?? 1) + row) * x.labels.length + column;
        cells[at] = el("div", { class: "pg-cell" }, el("div", { class: "pg-cell-inner" }));
        return el("td", {}, cells[at]);
      })),
    );
    const head = el("thead", {}, el("tr", {}, y && el("td", { class: "pg-grid-corner" }), ...x.labels.map((label) => el("th", { scope: "col" }, heading(x, label)))));
    const name = z ? `${desk.grid.title}: ${[z.short, z.labels[depth]].join(" ").trim()}` : desk.grid.title;
    const table = el("table", { class: "pg-grid-table" }, el("caption", { class: z && stacked ? "pg-grid-caption" : "pg-unseen" }, name), head, el("tbody", {}, ...rows));
    return el("div", { class: "pg-grid-scroll", role: "region", tabindex: "0", "aria-label": name }, table);
  }

  function drawCell(node, at) {
    const run = runs[at];
    const words = desk.grid.words[at];
    const letter = run && comparison.letter(run.id);
    const from = [run, letter, words, desk.grid.paused]; // a card that changes is another object
    if (drawn[at]?.every((each, place) => each === from[place])) return;
    drawn[at] = from;
    if (!run) return redraw(node.firstChild, { none: true, words }, () => clear(node, [el("p", { class: "pg-card-words" }, "deleted")]));
    node.dataset.runId = run.id;
    node.dataset.state = run.state;
    node.dataset.seed = run.seed ?? "";
    const { state, thumb, position, progress, note, failure, cancelling } = run;
    redraw(node.firstChild, { id: run.id, state, thumb, position, progress, note, failure, cancelling, letter, words, paused: desk.grid.paused }, () => parts(run, at, words, letter));
  }

  function clear(node, children) {
    for (const name of ["runId", "state", "seed"]) delete node.dataset[name];
    return children;
  }

  function parts(run, at, words, letter) {
    const choose = (event) => (event.shiftKey || event.ctrlKey || event.metaKey ? comparison.toggle(run.id) : open(at));
    if (run.state === "done") {
      return [
        el("button", { type: "button", class: "pg-card-open", "data-at": at, "aria-label": `Show ${words || "picture"}`, title: `${words}\nShift-click to compare`, onclick: choose }, el("img", { src: run.thumb, alt: altText(run), loading: "lazy", decoding: "async", draggable: "false" })),
        letter && el("span", { class: "pg-cell-letter" }, letter),
      ];
    }
    if (isLive(run)) {
      const said = run.state === "pending" ? (desk.grid.paused ? "paused" : "waiting") : liveWords(run);
      return [el("p", { class: "pg-card-words" }, said), run.state === "running" && el("div", { class: "pg-bar" }, el("div", { style: `width:${Math.round((run.progress ?? 0) * 100)}%` })), !run.cancelling && button("Cancel", () => cancel(run), { class: "pg-button pg-cell-cancel" })];
    }
    const charge = run.failure?.not_charged ? " Not charged." : "";
    const said = run.state === "cancelled" ? run.note || "Cancelled" : `${run.failure?.message ?? ""}${charge}`;
    const action = run.state === "cancelled" ? "Retry" : run.failure?.action === "Send again" ? "Send again" : "Retry";
    return [el("p", { class: "pg-card-words pg-card-failure", tabindex: "0", title: said }, said), button(action, () => retry(run).then(() => desk.again()), pressing("retry", run))];
  }

  /** Cells as wide as the window allows, all of one size. */
  function measure() {
    const columns = desk.grid.axes[0].labels.length;
    const label = desk.grid.axes[1] ? Math.min(160, element.clientWidth * 0.24) : 0;
    const room = (element.clientWidth - 32 - label) / columns - 8;
    const sizes = desk.grid.axes.some(({ field }) => field === "image_size");
    const [width, height] = desk.grid.base.pixels;
    element.style.setProperty("--cell", `${Math.floor(Math.max(LEAST, Math.min(MOST, room)))}px`);
    element.style.setProperty("--label", `${Math.floor(label)}px`);
    element.style.setProperty("--shape", sizes ? "1" : String(width / height));
  }

  new ResizeObserver(() => desk.grid && element.clientWidth && measure()).observe(element);
  return { element, draw };
}

function heading(axis, label) {
  return el("span", { class: "pg-grid-heading", dir: "auto", title: label }, axis.short && el("span", { class: "pg-grid-short" }, axis.short), " ", el("span", {}, label));
}

/** Arrow keys move from picture to picture. */
function moveFocus(event) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  const cell = event.target.closest("td");
  if (!step || !cell || !event.target.classList.contains("pg-card-open")) return;
  event.preventDefault();
  const rows = [...cell.closest("tbody").rows];
  const row = rows[rows.indexOf(cell.parentElement) + step[0]];
  row?.cells[cell.cellIndex + step[1]]?.querySelector(".pg-card-open")?.focus();
}
