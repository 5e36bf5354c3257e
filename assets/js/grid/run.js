// The line that runs a grid: what it would make and cost, how far it is, and what stands in its way.

import { button, el, money, redraw } from "../lib/dom.js";
import { hold } from "../lib/press.js";
import { gridDesk as desk } from "../state/desk-of-grids.js";

export function newRunLine() {
  const run = button("Run", () => press(), { class: "pg-button pg-primary pg-grid-run" });
  const beside = el("div", { class: "pg-grid-beside" });
  const element = el("div", { class: "pg-grid-go" }, run, beside);
  const words = el("div", { class: "pg-grid-words", role: "status" });
  return {
    element,
    words,
    draw() {
      const state = stateOf();
      run.disabled = Boolean(state.off);
      run.classList.toggle("pg-primary", Boolean(state.primary));
      redraw(run, { name: state.name, figures: state.figures }, () => [el("span", {}, state.name), state.figures && el("span", { class: "pg-figures" }, state.figures)]);
      redraw(beside, { beside: state.beside?.map(([name]) => name), busy: desk.busy }, () => (state.beside ?? []).map(([name, act, title]) => button(name, act, { title, disabled: desk.busy })));
      drawWords(words);
    },
  };
}

const press = () => hold("grid", async () => {
  if (desk.edited && desk.stale) await desk.settled();
  const { act, off } = stateOf();
  if (!off) await act?.();
});

/** What the button says and does now. */
function stateOf() {
  const { grid, preview, edited, busy } = desk;
  if (edited) {
    const { new: count = 0, ready, asks } = preview ?? {};
    if (desk.stale && preview) return { name: grid ? "Add" : "Run", figures: "…", primary: true, off: busy };
    const name = !ready ? "Run" : grid ? (count ? `Add ${count}` : "Show") : count ? `Run ${count}` : "Show";
    return { name, figures: ready && count ? (preview.engine === "demo" ? "$0 demo" : money(preview.cost_usd)) : "", off: busy || !ready, primary: true, act: () => (asks ? confirmRun(preview) : desk.run()) };
  }
  const { done, cells, live, waiting, failed, cost_usd, seconds } = desk.progress;
  const left = [`${done} of ${cells}`, live && price(cost_usd, "left"), live && spell(seconds)].filter(Boolean).join(" · ");
  const stop = ["Cancel the rest", () => desk.act("cancel"), "What was not sent is cancelled; what fal has taken may still come"];
  if (grid.paused && live) return { name: "Resume", figures: left, primary: true, off: busy, act: () => desk.act("resume"), beside: [stop] };
  if (live) return { name: "Pause", figures: left, off: busy || !waiting, act: () => desk.act("pause"), beside: [stop] };
  if (failed) return { name: `Retry ${failed}`, figures: `${done} of ${cells} are there`, primary: true, off: busy, act: () => desk.act("retry") };
  return { name: "Done", figures: `${cells} ${cells === 1 ? "picture" : "pictures"}`, off: true };
}

function priceAndTime({ cost_usd, engine, seconds }) {
  return [engine === "demo" ? "$0 demo" : money(cost_usd), spell(seconds)].filter(Boolean).join(" · ");
}

const price = (usd, word) => (usd ? `${money(usd)} ${word}` : "");

/** `about 1 min 20 s`; rounded, since it is estimated from recent runs. */
export function spell(seconds) {
  if (seconds < 0.5) return "";
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s`;
  const rounded = Math.round(seconds / 10) * 10;
  const [minutes, rest] = [Math.floor(rounded / 60), rounded % 60];
  if (minutes >= 60) return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `about ${minutes} min${rest ? ` ${rest} s` : ""}`;
}

function drawWords(element) {
  const { preview, edited, grid } = desk;
  const gone = grid && !edited && grid.cells.length > 0 && desk.runs.every((run) => !run);
  const request = preview?.base?.request;
  const expansion = request?.enable_prompt_expansion;
  const sweeps = desk.used.map(({ field }) => field);
  const { reuse } = desk;
  const { ready, fault, size, cells, made } = preview ?? {};
  redraw(element, { gone, stale: desk.stale, ready, fault, size, cells, made, new: preview?.new, cost: preview?.cost_usd, seconds: preview?.seconds, expansion, sweeps, edited, reuse, grid: grid?.id, repeat: grid?.repeat }, () => {
    if (!preview) return [];
    if (fault) return preview.axes.some((axis) => axis.fault) ? [] : [el("p", { class: "pg-issue", role: "alert" }, fault)];
    const fair = [!sweeps.includes("seed") && "one seed", expansion === false && !sweeps.includes("enable_prompt_expansion") && "prompt expansion off, for a fair comparison"].filter(Boolean);
    return [
      gone && el("p", { class: "pg-grid-warning" }, "All pictures of this grid are deleted. Retry makes them anew."),
      ready && edited && !desk.stale && el("p", {}, el("strong", { class: "pg-figures" }, `${size.length > 1 ? `${size.join(" × ")} = ` : ""}${cells} ${cells === 1 ? "picture" : "pictures"}`), ` · ${priceAndTime(preview)}`, made > 0 && ` · ${made} already made`, fair.length > 0 && el("span", { class: "pg-muted" }, ` · ${fair.join(" · ")}`)),
      ready && !edited && fair.length > 0 && el("p", { class: "pg-muted" }, fair.join(" · ")),
      expansion && !sweeps.includes("enable_prompt_expansion") && el("p", { class: "pg-grid-warning" }, "Prompt expansion is on, as in this picture: the model may add different words to each cell. ", button("Switch it off", () => desk.setExpansion(false), { class: "pg-button" })),
      edited && reuseTick(reuse),
      !edited && grid?.repeat && el("p", { class: `pg-grid-repeat pg-grid-repeat-${grid.repeat.kind}` }, grid.repeat.words),
    ];
  });
}

function reuseTick(on) {
  const tick = el("input", { type: "checkbox", onchange: () => desk.setReuse(tick.checked) });
  tick.checked = on;
  return el("label", { class: "pg-button pg-viewer-check" }, tick, "Reuse pictures made before");
}

/** Ask for confirmation before many pictures are made. */
function confirmRun(preview) {
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "Run this grid?" });
  const go = button(`Make ${preview.new.toLocaleString()}`, () => { dialog.close(); desk.run(true); }, { class: "pg-button pg-primary" });
  dialog.append(
    el("h2", {}, `Make ${preview.new.toLocaleString()} new pictures?`),
    el("p", {}, `${preview.size.join(" × ")} = ${preview.cells.toLocaleString()} cells · ${priceAndTime(preview)}${preview.made ? ` · ${preview.made} already made` : ""}.`),
    el("div", { class: "pg-dialog-buttons" }, button("Not now", () => dialog.close()), go),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
