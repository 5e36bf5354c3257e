// Which runs are selected, and the bar with what can be done to all of them.

import { post } from "./api.js";
import { button, el, redraw } from "./dom.js";
import { openExportOf } from "./exports.js";
import { zone } from "./history-results.js";
import { attempt, toast } from "./toast.js";

const pictures = (count) => `${count.toLocaleString()} ${count === 1 ? "picture" : "pictures"}`;

export class Picks extends EventTarget {
  ids = new Set();
  all = null; // { query, newest, but_for, count }: all that a search found, but for some
  anchor = null; // the last one that was picked by itself: where a range begins

  tell() {
    this.dispatchEvent(new Event("change"));
  }

  has(id) {
    return this.all ? !this.all.but_for.has(id) : this.ids.has(id);
  }

  get count() {
    return this.all ? this.all.count - this.all.but_for.size : this.ids.size;
  }

  /** Select a run, or no longer; with `to`, all between the last one and it. */
  toggle(id, runs, toRange) {
    const from = toRange ? runs.findIndex((run) => run.id === this.anchor) : -1;
    const to = runs.findIndex((run) => run.id === id);
    if (from >= 0) for (const run of runs.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#set(run.id, true);
    else this.#set(id, !this.has(id));
    this.anchor = id;
    this.tell();
  }

  #set(id, on) {
    const [set, inside] = this.all ? [this.all.but_for, !on] : [this.ids, on];
    if (inside) set.add(id);
    else set.delete(id);
  }

  selectAll({ query, newestSeq, count }) {
    this.all = { query, newest: newestSeq, but_for: new Set(), count };
    this.tell();
  }

  clear() {
    this.ids.clear();
    this.all = null;
    this.anchor = null;
    this.tell();
  }

  /** As the server's bulk actions take it. */
  get chosen() {
    if (!this.all) return { ids: [...this.ids] };
    return { query: this.all.query, zone, newest: this.all.newest, but_for: [...this.all.but_for] };
  }
}

export function mountPicksBar(element, picks, results) {
  const draw = () => {
    const { count, all } = picks;
    element.hidden = !count;
    const more = all ? 0 : results.count;
    redraw(element, { count, all: Boolean(all), more }, () => [
      el("span", { class: "pg-strong", role: "status" }, `${count.toLocaleString()} selected`),
      more > count && button(`Select all ${more.toLocaleString()}${results.query ? " that match" : ""}`, () => picks.selectAll(results), { class: "pg-button pg-h-all" }),
      el("span", { class: "pg-h-gap" }),
      button("Favourite", () => favouriteAll(picks, results), { label: "Favourite selected" }, "Favourite"),
      button("Export", (event) => openExportOf(event.currentTarget, picks.chosen), { label: "Export selected", "aria-haspopup": "menu" }, "Export…"),
      button("Delete", () => deleteAll(picks, results), { label: "Delete selected", class: "pg-button pg-danger" }, "Delete"),
      button("Clear", () => picks.clear(), { label: "Clear selection" }, "Clear"),
    ]);
  };
  picks.addEventListener("change", draw);
  results.addEventListener("change", draw);
  draw();
}

async function favouriteAll(picks, results) {
  const done = await attempt(() => post("/history/favourite", { ...picks.chosen, on: true }));
  if (!done) return;
  picks.clear();
  results.again();
  const undo = () => attempt(() => post("/history/favourite", { ids: done.ids, on: false })).then(() => results.again());
  if (done.ids.length) toast(`${pictures(done.ids.length)} added to the favourites.`, { name: "Undo", run: undo });
  else toast("They are favourites already.");
}

async function deleteAll(picks, results) {
  const done = await attempt(() => post("/history/delete", picks.chosen));
  if (!done) return;
  picks.clear();
  results.again();
  const undo = () => attempt(() => post("/history/restore", { ids: done.ids })).then(() => results.again());
  toast(`${pictures(done.ids.length)} deleted.`, { name: "Undo", run: undo });
}
