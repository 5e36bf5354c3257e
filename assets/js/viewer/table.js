// The table under the pictures: settings, then results; what differs first, and marked in text.

import { button, el, redraw } from "../lib/dom.js";

const GROUPS = { settings: "Settings", results: "Results" };

export function newTable(act) {
  const table = el("table", { class: "pg-compare-table" });
  const tick = el("input", { type: "checkbox", onchange: () => act.change({ only: tick.checked }) });
  const head = el("div", { class: "pg-compare-head" }, el("label", { class: "pg-button pg-viewer-check" }, "Only differences", tick), button("Copy table", act.copyTable, { title: "As Markdown" }));
  const scroll = el("div", { class: "pg-compare-scroll", tabindex: "0", role: "region", "aria-label": "Parameters" }, table);
  const element = el("div", { class: "pg-compare-panel" }, head, scroll);
  return {
    element,
    draw({ table: { letters, rows }, prompts, pictures }, only) {
      tick.checked = only;
      scroll.style.setProperty("--columns", letters.length);
      const stars = pictures.map((picture) => picture.favourite);
      redraw(table, { letters, rows, only, stars }, () => [
        el("caption", { class: "pg-unseen" }, "Settings and results of the compared pictures. Rows that begin with ≠ differ."),
        el("colgroup", {}, el("col", { class: "pg-compare-names" }), ...letters.map(() => el("col"))),
        el("thead", {}, columnHeads(letters, stars)),
        ...Object.keys(GROUPS).map((group) => body(group, rows.filter((row) => row.group === group), letters, prompts, only)),
      ]);
    },
  };
}

function columnHeads(letters, stars) {
  const names = letters.map((letter, at) => el("th", { scope: "col" }, letter, stars[at] && el("span", { class: "pg-compare-star", role: "img", "aria-label": " favourite" }, " ★")));
  return el("tr", {}, el("th", { scope: "col", class: "pg-compare-group" }, GROUPS.settings), ...names);
}

function body(group, rows, letters, prompts, only) {
  const shown = rows.filter((row) => row.differs || !only);
  const heading = group !== "settings" && el("tr", { class: "pg-compare-group" }, el("th", { scope: "rowgroup", colspan: letters.length + 1 }, el("span", {}, GROUPS[group])));
  const none = el("tr", {}, el("td", { colspan: letters.length + 1, class: "pg-muted" }, el("span", {}, `No ${group} differ.`)));
  return el("tbody", { "data-group": group }, ...[heading].filter(Boolean), ...(shown.length ? shown.map((row) => line(row, prompts)) : [none]));
}

function line(row, prompts) {
  const name = el("th", { scope: "row" }, row.differs && el("span", { class: "pg-compare-mark", role: "img", "aria-label": "differs: " }, "≠ "), row.label);
  const cells = row.values.map((value, at) => (row.name === "prompt" ? promptCell(prompts[at]) : el("td", { class: "pg-figures" }, value)));
  return el("tr", { "data-row": row.name, "data-differs": String(row.differs) }, name, ...cells);
}

const PIECES = { added: ["ins", "added"], removed: ["del", "removed"] };

/** A prompt with its differences from the first picture's: underlined or struck through, and in words for screen
 *  readers. */
function promptCell(pieces) {
  const words = pieces.map(({ kind, text }) => {
    if (kind === "same") return text;
    const [tag, said] = PIECES[kind];
    return el(tag, {}, el("span", { class: "pg-unseen" }, ` [${said}: `), text, el("span", { class: "pg-unseen" }, "] "));
  });
  return el("td", { class: "pg-compare-prompt" }, el("div", { dir: "auto", tabindex: "0" }, ...words));
}
