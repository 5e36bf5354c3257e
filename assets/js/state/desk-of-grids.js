// The grid view's state: the base, the axes as they are typed, what running them would make, and the grid that is open.
// One for the page, so that a card anywhere can be swept before the Compare tab was ever opened.

import { get, post } from "../lib/api.js";
import { showTab, whenThere } from "./comparison.js";
import { isLive, store } from "./store.js";
import { pay } from "../lib/press.js";
import { attempt, deleted, toast } from "../lib/toast.js";

export const SLOTS = ["X", "Y", "Z"];
export const SWEEPS = [
  { name: "Steps ×5", field: "num_inference_steps", text: "10-50 [5]" },
  { name: "Guidance ×4", field: "guidance_scale", text: "2-8 [4]" },
  { name: "4 seeds", field: "seed", text: "?, ?, ?, ?" },
];
const KEPT = "playground-grid";
const TYPING_MS = 140;
const AGAIN_MS = 400;

const emptyAxes = () => SLOTS.map(() => ({ field: "", text: "" }));

class GridDesk extends EventTarget {
  view = "viewer"; // of the Compare tab: "viewer" or "grid"
  base = null; // { run_id, thumb, from } or { request, from }
  expansion = null; // false: prompt expansion is switched off for this grid
  axes = emptyAxes();
  reuse = true;
  preview = null; // the server's answer to what is typed
  grid = null; // the open grid, as the server sent it
  cards = new Map(); // run id → card, as they were when the grid was read
  busy = false;
  fields = []; // what can be an axis
  #previewed = ""; // what was typed when the preview was asked for
  #asked = 0;
  #typing = 0;
  #again = 0;
  #heard = 0; // counts reads and actions: a reading of the grid is dropped where another began meanwhile

  constructor() {
    super();
    store.addEventListener("change", () => this.#follow());
  }

  tell() {
    this.dispatchEvent(new Event("change"));
  }

  look(view) {
    this.view = view;
    this.tell();
  }

  // -- the base ------------------------------------------------------------------------------------------------------

  /** Open a new grid on a picture: its steps are swept unless something else is chosen. */
  sweep(run) {
    this.#begin({ run_id: run.id, thumb: run.thumb, from: "picture" });
    this.axes[0] = { field: SWEEPS[0].field, text: SWEEPS[0].text };
    this.#show();
    this.#look(0);
  }

  /** Open a new grid on the controls' settings. Prompt expansion is off: its additions would blur a comparison. */
  fromControls(request) {
    this.#begin({ request: { ...request, enable_prompt_expansion: false }, from: "controls" });
    this.#show();
    this.#look(0);
  }

  /** Take another base, and keep the axes. */
  rebase(run) {
    const axes = this.axes;
    this.#begin({ run_id: run.id, thumb: run.thumb, from: "picture" });
    this.axes = axes;
    this.#look(0);
  }

  /** Open a file's plan as a new grid, to be looked at and run. Pictures that exist here are reused. */
  adopt({ request, axes, title }) {
    this.#begin({ request, from: "file" });
    this.axes = emptyAxes().map((axis, at) => axes[at] ?? axis);
    this.#show();
    this.#look(0);
    toast(`The plan of a grid is restored: ${title}.`);
  }

  #begin(base) {
    Object.assign(this, { base, expansion: null, grid: null, preview: null, axes: emptyAxes() });
    this.cards.clear();
    this.#remember();
  }

  #show() {
    this.view = "grid";
    showTab("Compare");
    this.tell();
  }

  /** Switch prompt expansion. This changes the base, so it begins a new grid. */
  setExpansion(on) {
    this.fresh();
    this.expansion = on;
    this.#look(0);
  }

  /** Go on with a new grid on the same base and axes. */
  fresh() {
    if (!this.grid) return;
    this.base = { ...this.base, run_id: null, request: this.grid.base.request };
    this.grid = null;
    this.#remember();
    this.#look(0);
  }

  // -- the axes ------------------------------------------------------------------------------------------------------

  setAxis(slot, change) {
    this.axes = this.axes.map((axis, at) => (at === slot ? { ...axis, ...change } : axis));
    this.#look(TYPING_MS);
  }

  /** A common sweep goes where its parameter is already, else on the first free axis, else on X. */
  useSweep({ field, text }) {
    const same = this.axes.findIndex((axis) => axis.field === field);
    const free = this.axes.findIndex((axis) => !axis.field || !axis.text.trim());
    this.setAxis(same >= 0 ? same : Math.max(free, 0), { field, text });
  }

  swapAxes() {
    const [x, y, z] = this.axes;
    this.axes = [y, x, z];
    this.settled().then((preview) => this.grid && preview?.ready && preview.new === 0 && this.run());
    this.tell();
  }

  setReuse(on) {
    this.reuse = on;
    this.#look(0);
  }

  get used() {
    return this.axes.filter((axis) => axis.field);
  }

  /** Whether the axes are no longer those of the open grid. */
  get edited() {
    if (!this.grid) return true;
    const [mine, its] = [this.used, this.grid.axes];
    return mine.length !== its.length || mine.some((axis, at) => axis.field !== its[at].field || axis.text.trim() !== its[at].text.trim());
  }

  /** Ask the server for a preview of what is typed, after `wait` ms without another change. */
  #look(wait) {
    clearTimeout(this.#typing);
    this.tell();
    return new Promise((done) => {
      this.#typing = setTimeout(() => this.#ask().then(done), wait);
    });
  }

  async #ask() {
    clearTimeout(this.#typing);
    if (!this.base) return;
    const asked = ++this.#asked;
    const typed = this.#typed();
    const preview = await attempt(() => post("/grids/preview", { ...this.#what(), axes: this.used.map(({ field, text }) => ({ field, values: text })) }));
    if (asked !== this.#asked || !preview) return;
    this.preview = preview;
    this.#previewed = typed;
    this.tell();
  }

  #typed() {
    return JSON.stringify([this.#what(), this.axes]);
  }

  /** Whether the preview is of something other than what is typed now. */
  get stale() {
    return this.#previewed !== this.#typed();
  }

  /** The preview of what is typed now, fetched if needed: Run may be pressed before the server has answered. */
  async settled() {
    if (this.stale) await this.#ask();
    return this.preview;
  }

  #what() {
    const changes = this.expansion === null ? {} : { enable_prompt_expansion: this.expansion };
    const base = this.grid ? { grid_id: this.grid.id } : this.base?.run_id ? { run_id: this.base.run_id } : { request: this.base?.request };
    return { ...base, changes, reuse: this.reuse };
  }

  // -- running -------------------------------------------------------------------------------------------------------

  /** Run the values of the preview, not the typed text, so that a random seed is the one that was shown. */
  async run(confirm = false) {
    if (!this.preview?.ready || this.busy) return;
    await this.#do(() => pay("/grids", { ...this.#what(), confirm, axes: this.preview.axes.map(({ field, values }) => ({ field, values })) }));
  }

  /** Pause, resume, cancel, retry, repeat: one at a time. */
  act(name) {
    if (!this.busy) return this.#do(() => pay(`/grids/${this.grid.id}/${name}`));
  }

  async #do(work) {
    this.busy = true;
    this.#heard += 1;
    this.tell();
    const grid = await attempt(work);
    this.busy = false;
    if (grid) return this.#take(grid);
    this.tell();
    this.#follow(); // what was read meanwhile was dropped in favour of this answer, which failed
  }

  /** Whether it worked; a failure is said. */
  async rename(name) {
    const grid = await attempt(() => post(`/grids/${this.grid.id}/rename`, { name }));
    if (grid) this.#take(grid);
    return Boolean(grid);
  }

  /** Delete the open grid; its pictures stay, each by itself. */
  async remove() {
    const { id, title } = this.grid;
    const done = await attempt(() => post(`/grids/${id}/delete`));
    if (!done) return;
    if (this.grid?.id === id) {
      Object.assign(this, { base: null, grid: null, preview: null, axes: emptyAxes() });
      this.cards.clear();
      this.#forget();
    }
    const left = done.pictures === 1 ? " Its picture stays in the history." : done.pictures ? ` Its ${done.pictures} pictures stay in the history.` : "";
    deleted(`The grid “${title}” is deleted.${left}`, async () => {
      const grid = await post(`/grids/${id}/restore`);
      if (!this.base) this.#take(grid);
      await store.heardOfGrids();
    });
    await store.heardOfGrids();
  }

  /** Open an existing grid. The tab is shown before the answer, so that a user who leaves it is not taken back. */
  async open(id) {
    this.look("grid");
    whenThere(() => showTab("Compare"));
    const grid = await attempt(() => get(`/grids/${id}`));
    if (grid) this.#take(grid);
    else this.#forget();
  }

  #take(grid) {
    this.#heard += 1;
    this.#asked += 1;
    this.grid = grid;
    this.base = { run_id: grid.origin, request: grid.base.request, thumb: grid.thumb, from: grid.origin ? "picture" : "controls" };
    this.expansion = null;
    for (const run of grid.runs) this.cards.set(run.id, run);
    this.axes = emptyAxes().map((axis, at) => (grid.axes[at] ? { field: grid.axes[at].field, text: grid.axes[at].text } : axis));
    this.preview = { base: grid.base, axes: grid.axes.map((axis) => ({ ...axis, fault: "", duplicates: [] })), ready: true, fault: "", size: grid.axes.map((axis) => axis.labels.length), cells: new Set(grid.cells).size, made: grid.cells.length, new: 0, cost_usd: 0, seconds: 0, engine: store.engine, asks: false };
    this.#previewed = this.#typed();
    this.#remember();
    this.tell();
  }

  async again() {
    if (!this.grid) return;
    const { id } = this.grid;
    const heard = ++this.#heard;
    const grid = await get(`/grids/${id}`).catch(() => null);
    if (!grid || this.grid?.id !== id || heard !== this.#heard) return;
    const edited = this.edited;
    for (const run of grid.runs) this.cards.set(run.id, run);
    this.grid = grid;
    if (!edited) this.tell();
    else this.#look(0);
  }

  // -- its pictures --------------------------------------------------------------------------------------------------

  /** The card of a run, null if it is deleted. The store's is preferred: it gets changes as they are committed. */
  card(id) {
    const run = id && (store.runs.get(id) ?? this.cards.get(id));
    return run && !run.deleted ? run : null;
  }

  get runs() {
    return this.grid ? this.grid.cells.map((id) => this.card(id)) : [];
  }

  /** How far it is: { done, failed, live, cells, cost_usd, seconds } of what is left. */
  get progress() {
    const seen = new Map();
    this.runs.forEach((run, at) => run && seen.set(run.id, { run, price: this.grid.prices[at] }));
    const all = [...seen.values()];
    const live = all.filter(({ run }) => isLive(run));
    const steps = live.reduce((sum, { run }) => sum + run.settings.num_inference_steps, 0) / (live.length || 1);
    const { seconds_a_step: each, at_once: atOnce } = this.grid.pace;
    return {
      cells: new Set(this.grid.cells).size,
      done: all.filter(({ run }) => run.state === "done").length,
      failed: all.filter(({ run }) => ["failed", "cancelled"].includes(run.state)).length + this.runs.filter((run) => !run).length,
      live: live.length,
      waiting: live.filter(({ run }) => run.state === "pending").length,
      cost_usd: live.reduce((sum, { run, price }) => sum + (run.engine === "demo" ? 0 : price), 0),
      seconds: each * steps * Math.ceil(live.length / atOnce),
    };
  }

  /** Read the grid again where cells were requested elsewhere, or a repeat check has ended. */
  #follow() {
    if (!this.grid) return;
    const known = new Set(this.grid.cells);
    const { repeat } = this.grid;
    for (const id of repeat?.runs ?? []) known.add(id);
    const strangers = [...store.runs.values()].some((run) => run.grid === this.grid.id && !run.deleted && isLive(run) && !known.has(run.id));
    const checked = repeat?.kind === "running" && !repeat.runs.some((id) => isLive(this.card(id) ?? { state: "pending" }));
    this.tell();
    if (!strangers && !checked) return;
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.again(), AGAIN_MS);
  }

  // -- the address, and a reload -------------------------------------------------------------------------------------

  #remember() {
    if (this.grid) sessionStorage.setItem(KEPT, this.grid.id);
    else sessionStorage.removeItem(KEPT);
  }

  #forget() {
    sessionStorage.removeItem(KEPT);
    this.tell();
  }

  /** Open the grid in the address, else the one that this browser tab had open before a reload. */
  async start() {
    document.addEventListener("playground-open-grid", ({ detail }) => this.open(detail.grid));
    get("/grids/fields").then(({ axes }) => { this.fields = axes; this.tell(); }, (error) => toast(error.message));
    const linked = new URLSearchParams(location.search).get("grid");
    if (linked) return this.open(linked.slice(0, 40));
    const kept = sessionStorage.getItem(KEPT);
    const grid = kept && (await get(`/grids/${kept}`).catch(() => null));
    if (grid && !this.base) this.#take(grid);
  }
}

export const gridDesk = new GridDesk();

/** This page's address with a grid's id, or without one for null; the rest stays. */
export function gridAddress(id) {
  const query = new URLSearchParams(location.search);
  query.delete("grid");
  if (id) query.set("grid", id);
  const text = query.toString().replaceAll("%2C", ",");
  return `${location.origin}${location.pathname}${text ? `?${text}` : ""}${location.hash}`;
}
