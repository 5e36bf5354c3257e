// The grid: base, axes and run line above; the table of its cells below, and the details of one beside it.

import { comparison, showTab } from "../state/comparison.js";
import { button, el, redraw } from "../lib/dom.js";
import { newAxes } from "./axes.js";
import { gridsButton, newBase } from "./base.js";
import { gridAddress, gridDesk as desk } from "../state/desk-of-grids.js";
import { newRunLine } from "./run.js";
import { newTable } from "./table.js";
import { newTools } from "./tools.js";
import { drawDetails } from "../history/details.js";
import { pickOne } from "../viewer/picker.js";

export function mountGrid(element, { trigger }) {
  const base = newBase(trigger);
  const axes = newAxes();
  const line = newRunLine();
  const tools = newTools();
  const empty = el("div", { class: "pg-empty pg-viewer-empty" });
  const form = el("div", { class: "pg-grid-form" }, el("div", { class: "pg-grid-line" }, axes.element, line.element), line.words, el("div", { class: "pg-grid-line pg-grid-under" }, axes.sweeps, tools.element));
  const panel = el("aside", { class: "pg-h-panel pg-grid-panel", "aria-label": "Chosen picture", hidden: true });
  const picks = el("div", { class: "pg-grid-picks" });
  let openAt = null;
  let runs = []; // in the order of the cells
  let linked = null; // the grid that the address was written for

  const beside = {
    get open() {
      return runs[openAt] ?? null;
    },
    beside: (_run, step) => nextDone(openAt, step),
    show(run) {
      const left = openAt;
      openAt = run ? runs.indexOf(run) : null;
      draw();
      if (!run) table.element.querySelector(`[data-at="${left}"]`)?.focus();
    },
    toCreate(event, run) {
      if (event) trigger(event, { id: run.id });
      showTab("Create");
    },
  };
  const table = newTable((at) => {
    openAt = at;
    draw();
  });
  const body = el("div", { class: "pg-grid-body" }, table.element, panel);
  element.append(el("div", { class: "pg-grid-head" }, base.element, gridsButton()), form, empty, picks, body);
  element.addEventListener("keydown", (event) => event.key === "Escape" && openAt !== null && beside.show(null));

  function nextDone(from, step) {
    for (let at = from + step; at >= 0 && at < runs.length; at += step) if (runs[at]?.media) return runs[at];
    return null;
  }

  function draw() {
    runs = desk.runs;
    form.hidden = !desk.base;
    drawEmpty(empty, trigger);
    base.draw();
    axes.draw();
    line.draw();
    tools.draw();
    table.draw(runs);
    drawPicks(picks);
    drawDetails(panel, beside.open, beside);
    body.classList.toggle("pg-grid-split", Boolean(beside.open));
    if (linked !== desk.grid?.id) writeLink(element); // only then: checking whether the grid is visible forces a layout
    linked = desk.grid?.id;
  }

  desk.addEventListener("change", draw);
  comparison.addEventListener("change", draw);
  new ResizeObserver(() => writeLink(element)).observe(element);
  draw();
}

function drawEmpty(place, trigger) {
  place.hidden = Boolean(desk.base);
  redraw(place, { none: !desk.base }, () => [
    el("p", { class: "pg-strong" }, "A grid makes one picture again and again, with other settings."),
    el("p", {}, "Press Sweep… on a picture, or choose what it starts from."),
    el("div", { class: "pg-grid-starts" }, button("Choose a picture", () => pickOne((run) => desk.sweep(run)), { class: "pg-button pg-primary", "aria-haspopup": "dialog" }), button("Use the controls of Create", () => trigger("grid_base", {}))),
  ]);
}

function drawPicks(place) {
  const mine = comparison.ids.length;
  redraw(place, { mine, grid: desk.grid?.id }, () => (mine && desk.grid ? [el("span", { class: "pg-muted", role: "status" }, `${mine} to compare`), button("Clear", () => comparison.choose([])), mine > 1 && button(`Compare ${mine}`, () => comparison.open(comparison.ids), { class: "pg-button pg-primary" })] : []));
}

/** The open grid is in the address while it is seen. */
function writeLink(element) {
  const seen = element.getClientRects().length > 0;
  const next = gridAddress(seen && desk.grid ? desk.grid.id : null);
  if (next !== location.href) history.replaceState(history.state, "", next);
}
