// What a search has found so far: pages of cards from the server, kept fresh by the store's changes.

import { get } from "../lib/api.js";
import { zone } from "../lib/zone.js";
import { store } from "../state/store.js";
import { attempt } from "../lib/toast.js";

const FIRST = 30; // fills a usual window, and is there the sooner; the next page follows at once where it does not
const PAGE = 96;
const MOST = 200; // that the server sends at once
const CALM_MS = 400;
const PATIENCE_MS = 2000; // changes that never calm down are looked at all the same

export class Results extends EventTarget {
  query = "";
  sort = "newest";
  project = ""; // the one that was searched
  stacks = new Map(); // grid id → what its runs come to in this search
  opened = new Map(); // grid id → its runs, for stacks that are open; those too that are gone, for they may come back
  more = false;
  loaded = false;
  count = null; // how many match
  total = null; // of how many
  news = 0; // matching runs that are newer than what is shown
  fault = ""; // why the search could not be read
  #runs = []; // what the search found
  #gone = new Set(); // ids of those that were deleted or moved since: each keeps its place for an undo
  #asked = { query: "", sort: "newest" }; // what the box asks for; what is shown may still be of the search before
  #search = 0; // the number of the newest search: answers to older ones are dropped
  #shown = 0; // the number of the search whose results are shown
  #answer = Promise.resolve(); // settles when the newest search is answered
  #waits = false; // whether a look again waits for that
  #fetching = 0; // the number of the search whose next page is on its way
  #known = new Map(); // id → the store's card when it was last looked at
  #counted = new Map(); // grid id → the store's stack when ours was counted
  #newest = 0; // the largest seq that is known of
  #asOf = 0; // the store's cursor when the search that is shown was asked: it holds all changes up to there
  #counts = 0; // the same of its counts, which are asked anew while the list has to stay as it is
  #timer = 0;
  #waiting = 0; // since when a look again waits for calm, in ms; 0: none does

  /** `isShown()`: whether there is anyone to see it; `isAtTop()`: whether what is new may come in above. */
  constructor({ isShown, isAtTop }) {
    super();
    this.isShown = isShown;
    this.isAtTop = isAtTop;
    store.addEventListener("change", () => this.#follow());
  }

  tell(name = "change") {
    this.dispatchEvent(new Event(name));
  }

  /** What was found and is still there; of a grid's runs only the first. */
  get runs() {
    return this.#runs.filter((run) => this.#stackOf(run) || !this.#gone.has(run.id));
  }

  /** What stands in the list: runs, and { stack, lead, cells } for a grid; `cells` are there while it is open. */
  get items() {
    return this.runs.map((run) => {
      const stack = this.#stackOf(run);
      return stack ? { ...run, id: `grid:${run.grid}`, lead: run, stack, cells: this.#openedOf(run.grid) } : run;
    });
  }

  /** The runs that stand there by themselves, in open stacks too. */
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

  /** Show the runs of a stack that match, where it stands. */
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

  /** The grid stands first: the last word of a search may be unfinished. */
  #within(grid) {
    return `grid:${grid} ${this.query}`;
  }

  /** Search for something else. A fault leaves what was found before. */
  find(query, sort) {
    this.#asked = { query, sort };
    return this.again();
  }

  /** Search anew for what the box asks for. */
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
      if (store.project !== this.project) return this.find(query, sort); // chosen meanwhile
      Object.assign(this, { query, sort, more: page.more, news: 0, fault: "", loaded: true });
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
      if (this.isBehind) this.#lookSoon(); // changes before the first answer had nothing to change
    } catch (error) {
      if (search !== this.#search) return;
      this.fault = error.message;
    }
    this.tell();
  }

  async next() {
    if (!this.more || this.#fetching === this.#shown) return;
    const shown = (this.#fetching = this.#shown);
    try {
      const page = await get(`/history?${this.#words({ query: this.query, sort: this.sort, limit: PAGE, after: this.#runs.at(-1)?.seq ?? 0 })}`);
      if (shown !== this.#shown) return;
      const known = new Set(this.#runs.map((run) => run.id));
      this.#runs.push(...page.runs.filter((run) => !known.has(run.id)).map((run) => this.#fresh(run)));
      this.#take(page.stacks);
      this.more = page.more;
      this.tell();
    } catch {
      if (shown !== this.#shown) return;
      this.more = false;
      this.tell();
    } finally {
      if (shown === this.#fetching) this.#fetching = 0;
    }
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

  /** After the same search: what was open stays open, with what is there now. */
  #openAgain() {
    for (const grid of this.opened.keys()) {
      if (this.stacks.has(grid)) this.open(grid);
      else this.opened.delete(grid);
    }
  }

  /** The newer of an answer's card and the store's: an answer may overtake the events, and be overtaken by them. */
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

  /** Whether anything changed since what is shown was asked for: it may be new here, match now, or match no more. */
  get isBehind() {
    return this.loaded && this.#asOf < store.cursor;
  }

  /** Look again once the changes calm down. */
  #lookSoon() {
    const now = performance.now();
    this.#waiting ||= now;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.catchUp(), Math.max(0, Math.min(CALM_MS, this.#waiting + PATIENCE_MS - now)));
  }

  /** A run that changed may go on standing here while it is there, and in the project that is looked through. */
  #place(run) {
    const stays = !run.deleted && (this.project === "all" || run.project === this.project || this.query.includes("project:"));
    if (stays) this.#gone.delete(run.id);
    else this.#gone.add(run.id);
  }

  /** The store counts a stack anew when its runs change: then ours has to be counted too. */
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

  /** Show what changed since, as far as one is there to see it: anew at the top, else in figures only. */
  async catchUp() {
    this.#waiting = 0;
    if (this.#waits) return;
    this.#waits = true;
    await this.#answer; // a search on its way is not overtaken, however often things change
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
