// Which runs are selected, and the bar with what can be done to all of them.

import { post } from "../lib/api.js";
import { comparison, MOST } from "../state/comparison.js";
import { button, el, redraw } from "../lib/dom.js";
import { openExportOf } from "./exports.js";
import { zone } from "../lib/zone.js";
import { tagsChanged, usedTags } from "../picture/labels.js";
import { openMenu } from "../lib/menu.js";
import { moveItems } from "../header/projects.js";
import { store } from "../state/store.js";
import { attempt, toast } from "../lib/toast.js";

const pictures = (count) => `${count.toLocaleString()} ${count === 1 ? "picture" : "pictures"}`;

export class Picks extends EventTarget {
  ids = new Set();
  all = null; // { query, project, newest, but_for, count }: all that a search found, except the ids in `but_for`
  anchor = null; // the id of the run picked last by itself: where a range begins

  tell() {
    this.dispatchEvent(new Event("change"));
  }

  has(id) {
    return this.all ? !this.all.but_for.has(id) : this.ids.has(id);
  }

  get count() {
    return this.all ? this.all.count - this.all.but_for.size : this.ids.size;
  }

  /** Select or deselect a run; with `toRange`, select all from the anchor to it. */
  toggle(id, runs, toRange) {
    const from = toRange ? runs.findIndex((run) => run.id === this.anchor) : -1;
    const to = runs.findIndex((run) => run.id === id);
    if (from >= 0) for (const run of runs.slice(Math.min(from, to), Math.max(from, to) + 1)) this.#set(run.id, true);
    else this.#set(id, !this.has(id));
    this.anchor = id;
    this.tell();
  }

  /** Select all of these, or none of them. */
  set(ids, on) {
    for (const id of ids) this.#set(id, on);
    this.tell();
  }

  #set(id, on) {
    const [set, inside] = this.all ? [this.all.but_for, !on] : [this.ids, on];
    if (inside) set.add(id);
    else set.delete(id);
  }

  selectAll({ query, project, newestSeq, count }) {
    this.all = { query, project, newest: newestSeq, but_for: new Set(), count };
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
    return { query: this.all.query, project: this.all.project, zone, newest: this.all.newest, but_for: [...this.all.but_for] };
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
      button("Compare", () => compareAll(picks, results), { label: "Compare selected", disabled: count < 2 || count > MOST, title: count < 2 || count > MOST ? `2 to ${MOST} pictures can be compared` : null }, "Compare"),
      button("Move", (event) => openMenu(event.currentTarget, moveItems((to) => moveAll(picks, results, to))), { label: "Move selected to a project", "aria-haspopup": "menu" }, "Move…"),
      button("Tag", () => askForTags((words) => tagAll(picks, results, words)), { label: "Tag selected", "aria-haspopup": "dialog" }, "Tag…"),
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

/** Compare the selected runs, in the order of the results. */
async function compareAll(picks, results) {
  const ids = (await results.idsOf()).filter((id) => picks.has(id));
  comparison.open(ids.length ? ids : [...picks.ids]);
}

/** Post a change of all selected runs. Its toast's Undo sets each group in `before` back to its previous value. */
async function changeAll(picks, results, path, change, said) {
  const done = await attempt(() => post(path, { ...picks.chosen, ...change }));
  if (!done) return;
  picks.clear();
  results.again();
  tagsChanged();
  const undo = async () => {
    for (const group of done.before) if (!(await attempt(() => post(path, group)))) return;
    results.again();
    tagsChanged();
  };
  const count = done.before.reduce((sum, { ids }) => sum + ids.length, 0);
  if (count) toast(`${pictures(count)} ${said}.`, { name: "Undo", run: undo });
  else toast("Nothing had to be changed.");
}

function moveAll(picks, results, to) {
  const name = to === "inbox" ? "Inbox" : store.projects.find(({ id }) => id === to)?.name;
  return changeAll(picks, results, "/history/move", { to }, `moved to “${name}”`);
}

const tagAll = (picks, results, { add, remove }) => changeAll(picks, results, "/history/tags", { add, remove }, add.length ? `tagged ${add.join(", ")}` : `without ${remove.join(", ")}`);

/** `use({ add, remove })` gets lists of tags. */
async function askForTags(use) {
  const used = await usedTags();
  const input = el("input", { id: "pg-many-tags", type: "text", autocomplete: "off", autocapitalize: "off", dir: "auto" });
  const words = () => input.value.split(",").map((tag) => tag.trim()).filter(Boolean);
  const put = (tag) => {
    input.value = [...words().filter((one) => one !== tag), tag].join(", ");
    input.focus();
  };
  const dialog = el("dialog", { class: "pg-dialog", "aria-label": "Tag the selected" });
  const done = (change) => (event) => {
    event.preventDefault();
    if (!words().length) return input.focus();
    dialog.close();
    use({ add: [], remove: [], ...change() });
  };
  dialog.append(
    el("h2", {}, "Tag the selected"),
    el("form", { onsubmit: done(() => ({ add: words() })) },
      el("label", { for: "pg-many-tags" }, "Tags, with commas between them"), input,
      used.length > 0 && el("div", { class: "pg-tags pg-many-tags", role: "group", "aria-label": "Tags in use" }, ...used.map(({ tag }) => button(tag, () => put(tag), { class: "pg-chip-button" }))),
      el("div", { class: "pg-dialog-buttons" }, button("Cancel", () => dialog.close()), button("Take away", done(() => ({ remove: words() }))), el("button", { type: "submit", class: "pg-button pg-primary" }, "Add"))),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
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
