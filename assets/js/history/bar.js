// Above the results: the search box with its help, quick filters, the order, and cards or table.

import { button, el, redraw } from "../lib/dom.js";
import { openExports } from "./exports.js";
import { usedTags } from "../picture/labels.js";
import { store } from "../state/store.js";

const PATIENCE_MS = 220; // between the last key and the search
const FAULT_PATIENCE_MS = 900; // before a fault is shown: it may be a half-typed term
const FILTERS = [
  { name: "Favourites", term: "is:favourite" },
  { name: "Grids", term: "grid:any", not: "grid:none" },
  { name: "Failed", term: "is:failed" },
  { name: "fal", term: "engine:fal", not: "engine:demo" },
  { name: "Demo", term: "engine:demo", not: "engine:fal" },
];
const TAGS = 12; // that are offered as filters
const SORTS = { newest: "Newest first", oldest: "Oldest first", longest: "Longest run", steps: "Most steps", guidance: "Highest guidance", seed: "Seed" };
const VIEWS = { cards: "Cards", table: "Table" };

const termsOf = (query) => query.match(/-?\w+:"[^"]*"?|\S+/g) ?? [];

/** `search(query, sort)` is called when the query or the order changes; `look(view)` when cards or table are chosen. */
export function mountBar(element, { search, look, view, results, fields }) {
  const input = el("input", { type: "search", id: "history-search", class: "pg-h-input", "aria-label": "Search history", "aria-describedby": "history-fault", placeholder: "fox “at dusk” steps:>30 is:favourite", autocomplete: "off", autocapitalize: "off", spellcheck: "false", enterkeyhint: "search" });
  const sort = el("select", { class: "pg-h-select", "aria-label": "Sort", onchange: () => go() }, ...Object.entries(SORTS).map(([value, name]) => el("option", { value }, name)));
  const fault = el("p", { class: "pg-issue pg-h-fault", id: "history-fault", role: "alert" });
  const status = el("span", { class: "pg-h-count", role: "status" });
  let timer = 0;
  const go = (wait = 0) => {
    clearTimeout(timer);
    timer = setTimeout(() => search(input.value.trim(), sort.value), wait);
    drawFilters();
  };
  input.addEventListener("input", () => go(PATIENCE_MS));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") go();
    if (event.key === "Escape" && input.value) {
      event.stopPropagation();
      put("");
    }
  });
  const put = (query) => {
    input.value = query;
    go();
  };

  const filters = el("div", { class: "pg-h-filters", role: "group", "aria-label": "Filters" });
  let tags = [];
  const drawFilters = () => {
    const terms = termsOf(input.value);
    const shown = [...FILTERS, ...tags.map(({ tag }) => ({ name: `#${tag}`, term: /\s/.test(tag) ? `tag:"${tag}"` : `tag:${tag}` }))];
    redraw(filters, shown, () => shown.map((filter) => button(filter.name, () => put(toggled(input.value, filter)), { class: "pg-chip-button pg-h-filter", dir: "auto" })));
    shown.forEach(({ term }, index) => filters.children[index].setAttribute("aria-pressed", String(terms.includes(term))));
  };
  const listTags = async () => {
    tags = (await usedTags()).slice(0, TAGS);
    drawFilters();
  };
  let project = null;
  store.addEventListener("change", () => store.project !== project && store.loaded && ((project = store.project), listTags()));
  document.addEventListener("playground-tagged", listTags);
  listTags();
  const tabs = Object.entries(VIEWS).map(([value, name]) => button(name, () => choose(value), { class: "pg-tab", "data-view": value }));
  const choose = (value) => {
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === value));
    look(value);
  };

  element.append(
    el("div", { class: "pg-h-box" }, input, helpButton(input, fields, go)),
    el("div", { class: "pg-h-tools" }, el("span", { class: "pg-h-sort" }, sort), el("div", { class: "pg-tabs", role: "group", "aria-label": "View" }, ...tabs), button("Export…", (event) => openExports(event.currentTarget, results), { "aria-haspopup": "menu", class: "pg-button pg-h-export" })),
    fault,
    el("div", { class: "pg-h-line" }, filters, status),
  );
  drawFilters();
  choose(view);

  let faultTimer = 0;
  let heard = "";
  const showFault = () => {
    fault.textContent = heard;
    input.setAttribute("aria-invalid", String(Boolean(heard)));
  };
  results.addEventListener("change", () => {
    if (results.fault !== heard) {
      clearTimeout(faultTimer);
      const first = !fault.textContent && results.fault;
      heard = results.fault;
      if (first) faultTimer = setTimeout(showFault, FAULT_PATIENCE_MS);
      else showFault();
    }
    redraw(status, { count: results.count, total: results.total, query: results.query, project: store.projectName }, () => [told(results)]);
  });
  return { put, focus: () => input.focus() };
}

function told({ count, total, query }) {
  if (count === null) return "";
  const where = store.projects.length ? ` in ${store.project === "all" ? "all projects" : store.projectName}` : "";
  if (query) return `${count.toLocaleString()} of ${total.toLocaleString()}${where}`;
  return `${count.toLocaleString()} ${count === 1 ? "run" : "runs"}${where}`;
}

/** The query with a filter's term, or without it where it was there. */
function toggled(query, { term, not }) {
  const terms = termsOf(query);
  const kept = terms.filter((one) => one !== term && one !== not);
  return (terms.includes(term) ? kept : [...kept, term]).join(" ");
}

// -- the help ----------------------------------------------------------------------------------------------------------

/** A popover that lists the fields; an example that is pressed goes into the box. */
function helpButton(input, fields, go) {
  const popover = el("div", { class: "pg-h-help", id: "history-help", popover: "", role: "dialog", "aria-label": "How to search" });
  const use = (term) => {
    input.value = [input.value.trim(), term].filter(Boolean).join(" ");
    go();
    input.focus();
  };
  const example = (term) => button(term, () => use(term), { class: "pg-h-example pg-figures" });
  const rows = fields.filter(({ name }) => name !== "prompt").map(({ name, help, examples }) =>
    el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, help), el("td", {}, ...examples.map((value) => example(`${name}:${value}`)))));
  popover.append(
    el("h3", {}, "Words of the prompt"),
    el("p", {}, example("red fox"), " both words · ", example("\"at dusk\""), " together · ", example("-cat"), " without"),
    el("h3", {}, "Fields"),
    el("table", {}, el("tbody", {}, ...rows)),
    el("p", { class: "pg-muted" }, "A minus before any term leaves out what it finds, and | offers a choice: ", example("is:failed|cancelled")),
  );
  const opener = button("Search help", () => {}, { class: "pg-button pg-h-help-button", popovertarget: "history-help", "aria-haspopup": "dialog" }, "?");
  popover.addEventListener("beforetoggle", ({ newState }) => {
    if (newState !== "open") return;
    const box = input.getBoundingClientRect();
    popover.style.left = `${Math.max(8, box.left)}px`;
    popover.style.top = `${box.bottom + 6}px`;
  });
  return [opener, popover];
}
