// A run in the history's results: as a card, or as a row of the table.

import { cancel, favourite, pressing, retry } from "../picture/actions.js";
import { button, el, icon, money, redraw, seconds } from "../lib/dom.js";
import { altText, liveWords, repeatNote } from "../picture/words.js";
import { goneBadge } from "../header/removed.js";
import { countWords, drawStack, openInCompare, stateWords, titleOf } from "../picture/stacks.js";
import { isLive } from "../state/store.js";

export const ENDS = { done: "done", failed: "failed", cancelled: "cancelled", unknown: "unanswered" };

/** Draw a run's card; `desk` knows what is picked and open, and what a click does. */
export function drawCard(node, run, desk) {
  node ??= el("article", { class: "pg-card pg-h-card", "data-run-id": run.id }, el("div", { class: "pg-card-picture" }), el("div", { class: "pg-h-foot" }));
  mark(node, run, desk);
  const [picture, foot] = node.children;
  const { state, thumb, favourite: starred, position, progress, note, failure, cancelling, seed, prompt } = run;
  const picked = desk.picks.has(run.id);
  redraw(picture, { state, thumb, gone: run.gone, starred, position, progress, note, failure, cancelling, seed, picked }, () => [...pictureParts(run, desk), pickBox(run, desk), star(run), repeatNote(run)]);
  redraw(foot, { state, prompt, seed, took: run.seconds, not_charged: failure?.not_charged, tags: run.tags, notes: run.notes }, () => [
    el("p", { class: "pg-h-prompt", dir: "auto", title: prompt }, prompt),
    el("p", { class: "pg-h-facts", title: run.notes || null }, run.tags.length ? el("span", { class: "pg-h-card-tags", dir: "auto" }, run.tags.join(" · ")) : el("span", { class: "pg-figures" }, `seed ${seed}`), el("span", { class: "pg-figures pg-card-time" }, howItEnded(run))),
  ]);
  return node;
}

function mark(node, run, desk) {
  node.dataset.state = run.state;
  node.dataset.seed = run.seed ?? "";
  node.dataset.favourite = run.favourite;
  node.classList.toggle("pg-chosen", desk.open?.id === run.id);
  node.classList.toggle("pg-h-picked", desk.picks.has(run.id));
}

export function howItEnded(run) {
  if (run.state === "done") return run.seconds === null ? "" : seconds(run.seconds);
  if (isLive(run)) return "";
  return run.failure?.not_charged ? "not charged" : ENDS[run.state];
}

function pictureParts(run, desk) {
  const open = (...inner) => el("button", { type: "button", class: "pg-card-open", "aria-label": `Show picture with seed ${run.seed}`, onclick: (event) => desk.click(run, event) }, ...inner);
  if (run.state === "done") return [open(el("img", { src: run.thumb, alt: altText(run), loading: "lazy", decoding: "async", draggable: "false" })), goneBadge(run)];
  const bar = el("div", { class: "pg-bar", role: "progressbar", "aria-label": "Progress", "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": run.progress === null ? null : String(Math.round(run.progress * 100)) }, el("div", { style: `width:${Math.round((run.progress ?? 0) * 100)}%` }));
  if (isLive(run)) return [open(), el("p", { class: "pg-card-words" }, liveWords(run)), bar, !run.cancelling && button("Cancel", () => cancel(run), { class: "pg-button pg-h-above" })];
  const words = run.state === "cancelled" ? run.note || "Cancelled" : run.failure?.message ?? "";
  return [open(), el("p", { class: "pg-card-words pg-card-failure" }, words), failureButton(run, desk)];
}

function failureButton(run, desk) {
  const action = run.state === "cancelled" ? "Retry" : run.failure?.action;
  if (!action) return null;
  return button(action, () => (action === "Edit settings" ? desk.toCreate("edit", run) : retry(run, () => desk.toCreate("reuse", run))), { ...pressing("retry", run), class: "pg-button pg-h-above" });
}

function pickBox(run, desk) {
  const box = el("input", { type: "checkbox", "aria-label": `Select picture with seed ${run.seed}`, onclick: (event) => desk.pick(run, event) });
  box.checked = desk.picks.has(run.id);
  return el("label", { class: "pg-h-pick" }, box);
}

/** A grid's runs as one card. */
export function drawStackCard(node, item, desk) {
  const picked = desk.picks.has(item.lead.id);
  node = drawStack(node, item.stack, {
    open: (event) => (event.ctrlKey || event.metaKey || event.shiftKey ? desk.pickStack(item) : desk.openStack(item)),
    parts: () => [stackBox(item, desk), el("div", { class: "pg-card-compare" }, button("Open in Compare", () => openInCompare(item.stack.grid_id), { class: "pg-overlay pg-stack-compare" }))],
    foot: () => [el("p", { class: "pg-h-prompt", dir: "auto", title: item.prompt }, el("strong", {}, titleOf(item.stack)), ` ${item.prompt}`), el("p", { class: "pg-h-facts" }, el("span", {}, countWords(item.stack)), el("span", { class: "pg-card-time" }, stateWords(item.stack)))],
    key: picked,
    className: "pg-h-card",
  });
  node.classList.toggle("pg-h-picked", picked);
  return node;
}

function stackBox(item, desk) {
  const box = el("input", { type: "checkbox", "aria-label": `Select all of grid ${item.stack.title}`.trim(), onclick: () => desk.pickStack(item) });
  box.checked = desk.picks.has(item.lead.id);
  return el("label", { class: "pg-h-pick" }, box);
}

const star = (run) => button("Favourite", () => favourite(run), { class: "pg-star pg-h-star", "aria-pressed": String(run.favourite) }, icon("star"));

// -- the table ---------------------------------------------------------------------------------------------------------

/** The run's tags and notes, in a line. */
const written = (run) => [run.tags.map((tag) => `#${tag}`).join(" "), run.notes].filter(Boolean).join(" · ");

/** [heading, width, value(run), class] of each column after the picture and the prompt. */
export function columnsOf(parameters) {
  const widths = { size: "104px", integer: "104px", slider: "76px", switch: "82px", choice: "66px" };
  return [
    ...parameters.map(({ name, kind }) => ({ name, width: widths[kind] ?? "90px", value: (run) => run.facts.find(([fact]) => fact === name)?.[1] ?? "" })),
    { name: "took", width: "66px", value: (run) => (run.state === "done" && run.seconds !== null ? seconds(run.seconds) : isLive(run) ? liveWords(run) : ENDS[run.state]) },
    { name: "cost", width: "76px", value: (run) => costOf(run) },
    { name: "engine", width: "66px", value: (run) => run.engine },
    { name: "made", width: "78px", value: (run) => timeOf(run) },
  ];
}

export function costOf(run) {
  if (run.state !== "done") return "";
  if (run.engine === "demo") return "$0";
  return run.billed ? money(run.cost_usd).replace("≈ ", "") : money(run.cost_usd);
}

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
export const timeOf = (run) => clock.format(new Date(run.created_at));

export function drawRow(node, run, desk, columns) {
  node ??= el("div", { class: "pg-h-tr", role: "row", "data-run-id": run.id, onclick: (event) => !event.target.closest("button, label") && desk.click(run, event) });
  mark(node, run, desk);
  const { state, thumb, favourite: starred, prompt, progress, position, note, cancelling } = run;
  redraw(node, { state, thumb, starred, prompt, progress, position, note, cancelling, took: run.seconds, tags: run.tags, notes: run.notes, picked: desk.picks.has(run.id), columns: columns.length }, () => [
    el("div", { role: "cell", class: "pg-h-td-pick" }, pickBox(run, desk)),
    el("div", { role: "cell", class: "pg-h-td-picture" }, el("button", { type: "button", class: "pg-card-open", "aria-label": `Show picture with seed ${run.seed}`, onclick: (event) => desk.click(run, event) }, thumb ? el("img", { src: thumb, alt: altText(run), loading: "lazy", decoding: "async" }) : el("span", { class: "pg-h-none", "aria-hidden": "true" }, "–"))),
    el("div", { role: "cell", class: "pg-h-td-star" }, star(run)),
    el("div", { role: "cell", class: "pg-h-td-prompt", dir: "auto", title: prompt }, prompt, written(run) && el("div", { class: "pg-h-written", dir: "auto", title: run.notes || null }, written(run))),
    ...columns.map((column) => el("div", { role: "cell", class: `pg-figures pg-h-td-${column.name}` }, column.value(run))),
  ]);
  return node;
}

export function drawStackRow(node, item, desk, columns) {
  const { stack, prompt } = item;
  const picked = desk.picks.has(item.lead.id);
  node ??= el("div", { class: "pg-h-tr pg-h-tr-stack", role: "row", "data-grid-id": stack.grid_id });
  node.onclick = (event) => !event.target.closest("button, label") && desk.openStack(item);
  node.classList.toggle("pg-h-picked", picked);
  redraw(node, { stack, prompt, picked, columns: columns.length }, () => [
    el("div", { role: "cell", class: "pg-h-td-pick" }, stackBox(item, desk)),
    el("div", { role: "cell", class: "pg-h-td-picture" }, el("button", { type: "button", class: "pg-card-open", "aria-label": `Open grid ${stack.title}, ${countWords(stack)}`, "aria-expanded": "false", onclick: () => desk.openStack(item) }, stack.thumbs.length ? el("img", { src: stack.thumbs[0], alt: "", loading: "lazy", decoding: "async" }) : el("span", { class: "pg-h-none", "aria-hidden": "true" }, "–"))),
    el("div", { role: "cell", class: "pg-h-td-star" }),
    el("div", { role: "cell", class: "pg-h-td-prompt", dir: "auto", title: prompt }, el("strong", {}, titleOf(stack)), ` ${prompt}`),
    el("div", { role: "cell", class: "pg-h-written", style: `grid-column: span ${columns.length}` }, [countWords(stack), stateWords(stack)].filter(Boolean).join(" · ")),
  ]);
  return node;
}
