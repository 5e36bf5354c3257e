// What a search has found so far: pages of cards from the server, kept fresh by the store's changes.

import { get } from "../lib/api.js";
import { zone } from "../lib/zone.js";
import { store } from "../state/store.js";
import { attempt } from "../lib/toast.js";

const FIRST = 30; // fills a usual window and loads faster; where it does not fill it, the next page follows at once
const PAGE = 96;
const MOST = 200; // the most that the server sends in one page
const CALM_MS = 400;
const PATIENCE_MS = 2000; // after which catchUp runs even though changes keep coming

export class Results extends EventTarget {
  query = "";
  sort = "newest";
  project = ""; // the one that was searched
  stacks = new Map(); // grid id → its stack, with the figures of this search
  opened = new Map(); // grid id → its runs, for open stacks; with deleted and moved ones, which an undo may bring back
  more = false;
  loaded = false;
  count = null; // how many match
  total = null; // how many runs the project has
  news = 0; // matching runs that are newer than what is shown
  fault = ""; // why the search could not be read
  stopped = ""; // why the next page could not be loaded
  #next = null; // the server's parameters that ask for the next page
  #runs = []; // what the search found
  #gone = new Set(); // ids of runs deleted or moved since: hidden, but kept in their place for an undo
  #asked = { query: "", sort: "newest" }; // the search box's; the shown results may be of the one before
  #search = 0; // the number of the newest search: answers to older ones are dropped
  #shown = 0; // the number of the search whose results are shown
  #answer = Promise.resolve(); // settles when the newest search is answered
  #waits = false; // whether catchUp is waiting for #answer
  #fetching = 0; // the number of the search whose next page is on its way
  #known = new Map(); // id → the store's card as last taken over
  #counted = new Map(); // grid id → the store's stack when ours was counted
  #newest = 0; // the largest known seq
  #asOf = 0; // the store's cursor when the shown search was sent: its results include all changes up to there
  #counts = 0; // the same for the counts, which are refreshed even while the list must not change
  #timer = 0;
  #waiting = 0; // since when #lookSoon has been waiting for changes to calm down, in ms; 0: it is not waiting

  /** `isShown()`: whether the results are visible; `isAtTop()`: whether new runs may be inserted above. */
  constructor({ isShown, isAtTop }) {
    super();
    this.isShown = isShown;
    this.isAtTop = isAtTop;
    store.addEventListener("change", () => this.#follow());
  }

  tell(name = "change") {
    this.dispatchEvent(new Event(name));
  }

  /** The runs found that are still there; of a stack's runs only the first. */
  get runs() {
    return this.#runs.filter((run) => this.#stackOf(run) || !this.#gone.has(run.id));
  }

  /** The list's items: runs, and { stack, lead, cells } for a grid; `cells` is null while the stack is closed. */
  get items() {
    return this.runs.map((run) => {
      const stack = this.#stackOf(run);
      return stack ? { ...run, id: `grid:${run.grid}`, lead: run, stack, cells: this.#openedOf(run.grid) } : run;
    });
  }

  /** The runs that are shown as cards of their own, those in open stacks included. */
  get single() {
    return this.runs.flatMap((run) => (this.#stackOf(run) ? this.#openedOf(run.grid) ?? [] : [run]));
  }

  #openedOf(grid) {
    return this.opened.get(grid)?.filter((run) => !this.#gone.has(run.id)) ?? null;
  }

  #stackOf(run) {
    const stack = run.grid && this.stacks.get(run.grid);
    return stack && stack.count > 1 ? stack : null;
  }

  /** Open a stack in its place, with its matching runs. */
  async open(grid) {
    const search = this.#search;
    const cells = await attempt(() => this.#cellsOf(grid));
    if (!cells || search !== this.#search) return;
    this.opened.set(grid, cells);
    this.tell();
  }

  close(grid) {
    this.opened.delete(grid);
    this.tell();
  }

  async #cellsOf(grid) {
    const cells = [];
    for (let page = { more: true }; page.more; ) {
      page = await get(`/history?${this.#words({ query: this.#within(grid), sort: this.sort, limit: MOST, ...(cells.length ? { after: cells.at(-1).seq } : {}) })}`);
      cells.push(...page.runs.map((run) => this.#fresh(run)));
    }
    return cells;
  }

  /** The ids of all that match in a grid; without one, of all that match. */
  async idsOf(grid = null) {
    const found = await attempt(() => get(`/history/ids?${this.#words({ query: grid ? this.#within(grid) : this.query, sort: this.sort })}`));
    return found?.ids ?? [];
  }

  /** The query within a grid. The grid's term is first, because the query's last word may be unfinished. */
  #within(grid) {
    return `grid:${grid} ${this.query}`;
  }

  /** Search for something else. After an error the previous results stay. */
  find(query, sort) {
    this.#asked = { query, sort };
    return this.again();
  }

  /** Send the search box's query again. */
  again() {
    return (this.#answer = this.#ask());
  }

  async #ask() {
    const search = ++this.#search;
    const { query, sort } = this.#asked;
    const asOf = store.cursor;
    const same = query === this.query && sort === this.sort && store.project === this.project;
    this.project = store.project;
    try {
      const page = await get(`/history?${this.#words({ query, sort, limit: FIRST })}`);
      if (search !== this.#search) return;
      if (store.project !== this.project) return this.find(query, sort); // another project was chosen meanwhile
      Object.assign(this, { query, sort, more: page.more, news: 0, fault: "", stopped: "", loaded: true });
      this.#next = page.next;
      this.#shown = search;
      this.#asOf = this.#counts = asOf;
      this.#known.clear();
      this.#gone.clear();
      this.stacks.clear();
      this.#take(page.stacks);
      if (same) this.#openAgain();
      else this.opened.clear();
      this.#runs = page.runs.map((run) => this.#fresh(run));
      this.#newest = Math.max(this.#newest, newestSeq(), ...page.runs.map((run) => run.seq));
      this.tell();
      const { count, total } = await get(`/history/count?${this.#words({ query })}`);
      if (search !== this.#search) return;
      Object.assign(this, { count, total });
      if (this.isBehind) this.#lookSoon(); // changes that came before the first answer had no results to update
    } catch (error) {
      if (search !== this.#search) return;
      this.fault = error.message;
    }
    this.tell();
  }

  /** Load the next page. After an error only `retry` does: the list calls this whenever it is drawn near its end. */
  async next() {
    if (!this.stopped) await this.#load();
  }

  /** Load the page again that could not be loaded. */
  async retry() {
    const loaded = this.#load();
    this.tell();
    await loaded;
  }

  async #load() {
    if (!this.more || this.isLoading) return;
    const shown = (this.#fetching = this.#shown);
    let stopped = "";
    try {
      const page = await get(`/history?${this.#words({ query: this.query, sort: this.sort, limit: PAGE, ...this.#next })}`);
      if (!page.runs) throw new Error("The server's answer was cut off.");
      if (shown === this.#shown) this.#append(page);
    } catch (error) {
      stopped = error.message;
    }
    if (shown === this.#fetching) this.#fetching = 0;
    if (shown !== this.#shown) return;
    this.stopped = stopped;
    this.tell();
  }

  #append(page) {
    const known = new Set(this.#runs.map((run) => run.id));
    this.#runs.push(...page.runs.filter((run) => !known.has(run.id)).map((run) => this.#fresh(run)));
    this.#take(page.stacks);
    this.more = page.more;
    this.#next = page.next;
  }

  /** Whether the shown search's next page is on its way. */
  get isLoading() {
    return this.#fetching === this.#shown;
  }

  get newestSeq() {
    return this.#newest;
  }

  #words(values) {
    return new URLSearchParams({ ...values, zone, project: this.project });
  }

  #take(stacks) {
    for (const [grid, stack] of Object.entries(stacks)) {
      this.stacks.set(grid, stack);
      this.#counted.set(grid, store.stacks.get(grid));
    }
  }

  /** After the same search was sent again: open stacks stay open, and their runs are fetched again. */
  #openAgain() {
    for (const grid of this.opened.keys()) {
      if (this.stacks.has(grid)) this.open(grid);
      else this.opened.delete(grid);
    }
  }

  /** The newer of an answer's card and the store's: an answer may arrive before or after the events of its changes. */
  #fresh(run) {
    const heard = store.runs.get(run.id);
    if (heard) this.#known.set(run.id, heard);
    if (!heard || heard.revision < run.revision) return run;
    this.#place(heard);
    return heard;
  }

  #follow() {
    if (!this.loaded) return;
    if (store.loaded && store.project !== this.project) return void this.again();
    let changed = false;
    const heardOf = (run) => {
      const heard = store.runs.get(run.id);
      if (!heard || heard === this.#known.get(run.id)) return run;
      this.#known.set(run.id, heard);
      changed = true;
      this.#place(heard);
      return heard;
    };
    this.#runs = this.#runs.map(heardOf);
    for (const [grid, cells] of this.opened) this.opened.set(grid, cells.map(heardOf));
    this.#countStacks();
    if (changed) this.tell();
    if (this.#counts < store.cursor) this.#lookSoon();
  }

  /** Whether any run changed since the shown search was sent: it may be new, match now, or no longer match. */
  get isBehind() {
    return this.loaded && this.#asOf < store.cursor;
  }

  /** Call catchUp once changes calm down. */
  #lookSoon() {
    const now = performance.now();
    this.#waiting ||= now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.catchUp(), Math.max(0, Math.min(CALM_MS, this.#waiting + PATIENCE_MS - now)));
  }

  /** Keep showing a changed run as long as it is not deleted and is in the searched project; else hide it. */
  #place(run) {
    const stays = !run.deleted && (this.project === "all" || run.project === this.project || this.query.includes("project:"));
    if (stays) this.#gone.delete(run.id);
    else this.#gone.add(run.id);
  }

  /** Fetch this search's figures for the stacks that the store has counted again, because their runs changed. */
  async #countStacks() {
    const stale = [...this.stacks.keys()].filter((grid) => store.stacks.has(grid) && store.stacks.get(grid) !== this.#counted.get(grid));
    if (!stale.length) return;
    for (const grid of stale) this.#counted.set(grid, store.stacks.get(grid));
    const search = this.#search;
    const found = await get(`/history/stacks?${this.#words({ ids: stale.join(","), query: this.query })}`).catch(() => null);
    if (!found || search !== this.#search) return;
    for (const grid of stale) {
      if (found.stacks[grid]?.hits) this.stacks.set(grid, found.stacks[grid]);
      else {
        this.stacks.delete(grid);
        this.opened.delete(grid);
        this.#runs = this.#runs.filter((run) => run.grid !== grid);
      }
    }
    this.tell();
  }

  /** Show recent changes while the results are visible: at the list's top search again, else update only the counts. */
  async catchUp() {
    this.#waiting = 0;
    if (this.#waits) return;
    this.#waits = true;
    await this.#answer; // let a search under way finish: frequent changes must not replace it again and again
    this.#waits = false;
    if (!this.isBehind || !this.isShown()) return;
    if (this.isAtTop()) return this.again();
    const [shown, asOf] = [this.#shown, store.cursor];
    if (this.#counts >= asOf) return;
    const [counts, newer] = await Promise.all([get(`/history/count?${this.#words({ query: this.query })}`), get(`/history/count?${this.#words({ query: this.query, newer_than: this.#newest })}`)]).catch(() => []);
    if (!counts || shown !== this.#shown) return;
    this.#counts = asOf;
    Object.assign(this, { count: counts.count, total: counts.total, news: newer.count });
    this.tell();
  }
}

const newestSeq = () => Math.max(0, ...[...store.runs.values()].map((run) => run.seq));
