// The History tab: search of all runs. Only results near the window are in the document.

import { get } from "../lib/api.js";
import { comparison } from "../state/comparison.js";
import { button, el, redraw } from "../lib/dom.js";
import { mountBar } from "./bar.js";
import { chooseExport } from "../create/import.js";
import { columnsOf, drawCard, drawRow, drawStackCard, drawStackRow } from "./card.js";
import { drawDetails } from "./details.js";
import { linesOf } from "./lines.js";
import { VirtualList } from "./list.js";
import { mountPicksBar, Picks } from "./picks.js";
import { Results } from "./results.js";
import { keepPlace } from "./place.js";
import { stackHead } from "../picture/stacks.js";
import { store } from "../state/store.js";
import { toast } from "../lib/toast.js";

const GAP = 12;
const CARD_MIN = 186;
const FOOT = 52;
const ROW = 44;
const VIEW = "playground-history-view";

export async function mountHistory(element, { trigger }) {
  const { fields, parameters } = await get("/history/fields").catch((error) => {
    toast(error.message);
    return { fields: [], parameters: [] };
  });
  const [bar, head, body, empty, end, panel, picksBar, pill] = ["pg-h-bar", "pg-h-thead", "pg-h-list", "pg-h-empty", "pg-h-end", "pg-h-panel", "pg-h-picks", "pg-h-pill"].map((name) => el(name === "pg-h-panel" ? "aside" : "div", { class: name }));
  panel.setAttribute("aria-label", "Chosen picture");
  panel.hidden = true;
  end.setAttribute("role", "status");
  const sheet = el("div", { class: "pg-h-sheet", "aria-label": "Results" }, head, body);
  const main = el("div", { class: "pg-h-main" }, sheet, empty, end, picksBar);
  element.append(bar, pill, el("div", { class: "pg-h-body" }, main, panel));

  const results = new Results({ isShown: () => Boolean(body.offsetParent), isAtTop: () => scrollY < 40 });
  const picks = new Picks();
  const columns = columnsOf(parameters);
  const cards = new Map(); // id → node, for those in the document
  element.style.setProperty("--tail", columns.map((column) => column.width).join(" "));
  let view = sessionStorage.getItem(VIEW) ?? "cards";
  let openId = null;

  const desk = {
    picks,
    get open() {
      return results.single.find((run) => run.id === openId) ?? null;
    },
    beside: (run, step) => results.single[results.single.findIndex(({ id }) => id === run.id) + step] ?? null,
    click(run, event) {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return desk.pick(run, event);
      desk.show(run);
    },
    pick: (run, event) => picks.toggle(run.id, results.single, event.shiftKey),
    async pickStack(item) {
      const on = !picks.has(item.lead.id);
      picks.set(await results.idsOf(item.stack.grid_id), on);
    },
    async openStack(item) {
      await results.open(item.stack.grid_id);
      place.around(null, layOut);
    },
    closeStack(item) {
      results.close(item.stack.grid_id);
      place.reveal(item.id);
    },
    show(run) {
      const left = desk.open;
      openId = run?.id ?? null;
      place.around((run ?? left)?.id, layOut);
      // Laying the lines out again takes the focus from a card that moves.
      if (run ?? left) focusRun(run ?? left);
    },
    /** Hand a run over to the Create tab. */
    toCreate(event, run) {
      if (event) trigger(event, { id: run.id });
      [...document.querySelectorAll("#tabs button[role=tab]")].find((tab) => tab.textContent.trim() === "Create")?.click();
    },
  };

  const list = new VirtualList(body, { draw: drawLine, nearEnd: () => results.next() });
  const place = keepPlace(body, list, () => Math.max(0, bar.getBoundingClientRect().bottom + head.offsetHeight), () => results.catchUp());
  const perLine = () => (view === "table" ? 1 : Math.max(2, Math.floor((body.clientWidth + GAP) / (CARD_MIN + GAP))));

  function layOut() {
    drawDetails(panel, desk.open, desk);
    element.classList.toggle("pg-h-split", Boolean(desk.open));
    if (!body.offsetParent) return;
    const count = perLine();
    const height = view === "table" ? ROW : Math.round(((body.clientWidth - GAP * (count - 1)) / count) * 0.75) + FOOT + GAP;
    body.style.setProperty("--columns", count);
    list.set(linesOf(results, count, height, view));
    for (const [id, node] of cards) if (!node.isConnected) cards.delete(id);
  }

  function drawLine(line, node) {
    if (line.heading) {
      return node ?? (view === "table" ? el("div", { class: "pg-h-day", role: "row" }, el("span", { role: "rowheader" }, line.heading)) : el("h3", { class: "pg-h-day" }, line.heading));
    }
    if (line.end) return node ?? el("div", { class: "pg-h-stack-end", role: "presentation" });
    if (line.opened) return drawOpened(node, line.opened);
    node ??= el("div", { class: ["pg-h-row", view === "cards" && "pg-h-cards", line.inside && "pg-h-inside"].filter(Boolean).join(" "), role: "presentation" });
    node.style.height = `${line.height}px`;
    const drawn = line.runs.map((run) => {
      const known = cards.get(run.id);
      const card = view === "table" ? (run.stack ? drawStackRow : drawRow)(known, run, desk, columns) : (run.stack ? drawStackCard : drawCard)(known, run, desk);
      cards.set(run.id, card);
      return card;
    });
    if (drawn.length !== node.children.length || drawn.some((card, index) => node.children[index] !== card)) node.replaceChildren(...drawn);
    return node;
  }

  function drawOpened(node, item) {
    node ??= el("div", { class: "pg-h-stack", role: view === "table" ? "row" : "presentation", "data-grid-id": item.stack.grid_id }, el("div", { role: view === "table" ? "rowheader" : "presentation" }));
    stackHead(node.firstChild, item.stack, () => desk.closeStack(item));
    return node;
  }

  function look(chosen) {
    view = chosen;
    sessionStorage.setItem(VIEW, view);
    element.dataset.view = view;
    sheet.setAttribute("role", view === "table" ? "table" : "group");
    for (const part of [head, body]) part.setAttribute("role", view === "table" ? "rowgroup" : "presentation");
    redraw(head, { view }, () => (view === "table" ? [headRow(columns)] : []));
    cards.clear();
    list.set([]);
    place.around(null, layOut);
  }

  function focusRun(run) {
    place.reveal(run.id);
    cards.get(run.id)?.querySelector(".pg-card-open")?.focus({ preventScroll: true });
  }

  const search = async (query, sort) => {
    picks.clear();
    await results.find(query, sort);
    if (!results.fault && body.offsetParent && scrollY) scrollTo({ top: 0 });
  };
  const box = mountBar(bar, { search, look, view, results, fields });
  mountPicksBar(picksBar, picks, results);
  picks.addEventListener("change", () => list.update());
  comparison.addEventListener("change", () => drawDetails(panel, desk.open, desk));
  results.addEventListener("change", () => {
    element.classList.toggle("pg-h-stale", Boolean(results.fault));
    element.classList.toggle("pg-h-none-found", !results.runs.length);
    layOut();
    drawPill(pill, results);
    drawEmpty(empty, results, box);
    drawEnd(end, results);
  });
  body.addEventListener("scroll", () => (head.scrollLeft = body.scrollLeft), { passive: true });
  body.addEventListener("keydown", (event) => moveFocus(event, { results, desk, perLine, focusRun }));
  element.addEventListener("keydown", (event) => event.key === "Escape" && (desk.open ? desk.show(null) : picks.clear()));
  store.addEventListener("restored", () => results.again());
  let width = 0;
  new ResizeObserver(() => {
    if (body.clientWidth === width || !body.clientWidth) return;
    width = body.clientWidth;
    place.around(openId, layOut);
  }).observe(body);
  await results.find("", "newest");
}

const headRow = (columns) =>
  el("div", { class: "pg-h-tr pg-h-th", role: "row" }, ...["selected", "picture", "favourite", "prompt", ...columns.map((column) => column.name)].map((name) => el("div", { role: "columnheader" }, el("span", {}, name))));

function drawPill(pill, results) {
  redraw(pill, { news: results.news }, () =>
    results.news ? [button(`${results.news.toLocaleString()} new`, () => results.again().then(() => scrollTo({ top: 0 })), { class: "pg-button pg-primary" })] : [],
  );
}

function drawEmpty(place, results, box) {
  const { loaded, query, total } = results;
  const none = loaded && !results.runs.length;
  const project = store.project === "all" || !store.projects.length ? "" : store.projectName;
  redraw(place, { none, query, total, project }, () => {
    if (!none) return [];
    const everywhere = project && button("Look in all projects", () => store.choose("all"));
    if (!query) return [el("div", { class: "pg-empty" }, el("p", { class: "pg-strong" }, project ? `Nothing in “${project}” yet.` : "Nothing here yet."), el("p", {}, project ? "What you make now goes here. Pictures of other projects can be selected and moved." : "Every picture that you make is kept, and can be found here by its prompt and settings."), everywhere, !project && button("Restore an export…", chooseExport))];
    return [el("div", { class: "pg-empty" }, el("p", { class: "pg-strong" }, "Nothing matches."), el("p", {}, `None of ${total.toLocaleString()} runs${project ? ` in “${project}”` : ""} has all of: ${query}`), button("Clear the search", () => { box.put(""); box.focus(); }), everywhere)];
  });
}

/** Below the list: that it goes on, where its next page could not be loaded. */
function drawEnd(place, results) {
  const { stopped, isLoading } = results;
  redraw(place, { stopped, isLoading }, () =>
    stopped ? [el("p", {}, isLoading ? "Loading more…" : `The list goes on, but the rest could not be loaded. ${stopped}`), button("Retry", () => results.retry())] : [],
  );
}

/** Arrow keys move between pictures; with the details open, they show the next one. */
function moveFocus(event, { results, desk, perLine, focusRun }) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: perLine(), ArrowUp: -perLine() }[event.key];
  const card = event.target.closest("[data-run-id], [data-grid-id]");
  if (!step || !card || event.target.matches("input")) return;
  event.preventDefault();
  const shown = results.items.flatMap((item) => item.cells ?? [item]);
  const next = shown[shown.findIndex(({ id }) => id === (card.dataset.runId ?? `grid:${card.dataset.gridId}`)) + step];
  if (!next) return;
  if (desk.open && !next.stack) desk.show(next);
  focusRun(next);
}
