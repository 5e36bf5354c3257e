// What a search has found so far: pages of cards from the server, kept fresh by the store's changes.

import { get } from "./api.js";
import { store } from "./store.js";

const PAGE = 96;
const CALM_MS = 400;
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";

export class Results extends EventTarget {
  query = "";
  sort = "newest";
  runs = [];
  more = false;
  loaded = false;
  count = null; // how many match
  total = null; // of how many
  news = 0; // matching runs that are newer than what is shown
  fault = ""; // why the search could not be read
  #asked = { query: "", sort: "newest" }; // what the box asks for; what is shown may still be of the search before
  #search = 0; // the number of the newest search: answers to older ones are dropped
  #shown = 0; // the number of the search whose results are shown
  #answer = Promise.resolve(); // settles when the newest search is answered
  #waits = false; // whether a look again waits for that
  #fetching = 0; // the number of the search whose next page is on its way
  #known = new Map(); // id → the store's card when it was last looked at
  #newest = 0; // the largest seq that is known of
  #timer = 0;

  constructor({ isAtTop }) {
    super();
    this.isAtTop = isAtTop;
    store.addEventListener("change", () => this.#follow());
  }

  tell(name = "change") {
    this.dispatchEvent(new Event(name));
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
    try {
      const page = await get(`/history?${this.#words({ query, sort, limit: PAGE })}`);
      if (search !== this.#search) return;
      Object.assign(this, { query, sort, more: page.more, news: 0, fault: "", loaded: true });
      this.#shown = search;
      this.#known.clear();
      this.runs = page.runs.map((run) => this.#fresh(run));
      this.#newest = Math.max(this.#newest, newestSeq(), ...page.runs.map((run) => run.seq));
      this.tell();
      const { count, total } = await get(`/history/count?${this.#words({ query })}`);
      if (search !== this.#search) return;
      Object.assign(this, { count, total });
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
      const page = await get(`/history?${this.#words({ query: this.query, sort: this.sort, limit: PAGE, after: this.runs.at(-1)?.seq ?? 0 })}`);
      if (shown !== this.#shown) return;
      const known = new Set(this.runs.map((run) => run.id));
      this.runs.push(...page.runs.filter((run) => !known.has(run.id)).map((run) => this.#fresh(run)));
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
    return new URLSearchParams({ ...values, zone });
  }

  /** The store hears of changes as they are committed; what it holds is at least as new. */
  #fresh(run) {
    const heard = store.runs.get(run.id);
    if (heard) this.#known.set(run.id, heard);
    return (store.online && heard) || run;
  }

  #follow() {
    if (!this.loaded) return;
    let changed = false;
    this.runs = this.runs.flatMap((run) => {
      const heard = store.runs.get(run.id);
      if (!heard || heard === this.#known.get(run.id)) return [run];
      this.#known.set(run.id, heard);
      changed = true;
      return heard.deleted ? [] : [heard];
    });
    if (changed) this.tell();
    // Anything else may be new here, match now, or match no more. The server is asked once the changes calm down.
    const state = [store.runs.size, newestSeq(), changed].join();
    if (state === this.state && !changed) return;
    this.state = state;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookAgain(), CALM_MS);
  }

  async #lookAgain() {
    if (this.#waits) return;
    this.#waits = true;
    await this.#answer; // a search on its way is not overtaken, however often things change
    this.#waits = false;
    if (this.isAtTop()) return this.again();
    const shown = this.#shown;
    const [counts, newer] = await Promise.all([get(`/history/count?${this.#words({ query: this.query })}`), get(`/history/count?${this.#words({ query: this.query, newer_than: this.#newest })}`)]).catch(() => []);
    if (!counts || shown !== this.#shown) return;
    Object.assign(this, { count: counts.count, total: counts.total, news: newer.count });
    this.tell();
  }
}

const newestSeq = () => Math.max(0, ...[...store.runs.values()].map((run) => run.seq));
