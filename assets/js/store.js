// The page's memory of the visitor's runs: one page from the server, then its changes as they are committed.

import { get, readEvents } from "./api.js";

const PAUSES = [500, 1000, 2000, 5000];

class Store extends EventTarget {
  runs = new Map(); // id → card
  cursor = 0;
  more = false;
  floor = Infinity; // from this seq on all runs are known; older ones only by chance, because they changed
  visit = { pictures: 0, cost_usd: 0 };
  engine = document.documentElement.dataset.engine ?? "";
  ownKey = false;
  ownHistory = false;
  notice = null;
  online = true;
  loaded = false;

  /** Cards, newest first. */
  get newest() {
    return [...this.runs.values()].filter((run) => !run.deleted && run.seq >= this.floor).sort((a, b) => b.seq - a.seq);
  }

  /** Once for all that changes together: thousands may. */
  tell(name) {
    if (this.telling) return;
    this.telling = true;
    setTimeout(() => {
      this.telling = false;
      this.dispatchEvent(new Event(name));
    });
  }

  async start() {
    this.share();
    await this.refresh();
    this.lead();
  }

  async refresh() {
    const page = await get(`/runs?visit=${visitStart()}`);
    this.merge(page);
    this.cursor = Math.max(this.cursor, page.cursor);
    this.more = page.more;
    this.visit = page.visit;
    this.engine = page.engine;
    this.ownKey = page.own_key;
    this.ownHistory = page.own_history;
    this.notice = page.notice;
    this.loaded = true;
    this.tell("change");
  }

  async older() {
    if (!this.more || this.fetching) return;
    this.fetching = true;
    try {
      const page = await get(`/runs?before=${this.floor}`);
      this.more = page.more;
      this.merge(page);
      this.tell("change");
    } finally {
      this.fetching = false;
    }
  }

  merge(page) {
    for (const run of page.runs) this.runs.set(run.id, run);
    this.floor = page.more ? Math.min(this.floor, page.runs.at(-1).seq) : 0;
  }

  /** One change: the fields that differ. A run that this page never saw whole is fetched with its page. */
  apply({ id, data }) {
    if (id <= this.cursor) return;
    this.cursor = id;
    const before = this.runs.get(data.id);
    const run = { ...before, ...data };
    if (!before && run.prompt === undefined) return;
    this.runs.set(run.id, run);
    if (run.state === "done" && before?.state !== "done" && Date.parse(run.created_at) >= visitStart()) this.countSoon();
    this.tell("change");
  }

  /** Once for pictures that arrive together, and after they are drawn. */
  countSoon() {
    clearTimeout(this.counting);
    this.counting = setTimeout(() => this.countVisit(), 300);
  }

  async countVisit() {
    this.visit = await get(`/runs/visit?since=${visitStart()}`).catch(() => this.visit);
    this.tell("change");
  }

  /** One event stream for all tabs of this browser: HTTP/1.1 gives a host six connections. */
  share() {
    this.channel = new BroadcastChannel("playground-events");
    this.channel.onmessage = ({ data }) => this.apply(data);
  }

  lead() {
    const stream = () => this.stream();
    if (navigator.locks) navigator.locks.request("playground-events", stream);
    else stream();
  }

  async stream() {
    for (let failures = 0; ; ) {
      try {
        await readEvents("/events", this.cursor, (event) => {
          failures = 0;
          this.setOnline(true);
          this.channel.postMessage(event);
          this.apply(event);
        });
      } catch {
        failures += 1;
        if (failures > 1) this.setOnline(false);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSES[Math.min(failures, PAUSES.length - 1)]));
      if (failures) await this.refresh().then(() => this.setOnline(true), () => {});
    }
  }

  setOnline(online) {
    if (this.online === online) return;
    this.online = online;
    this.tell("change");
  }
}

/** When this visit began, in ms: a browser tab's session. */
function visitStart() {
  const now = String(Date.now());
  if (!sessionStorage.getItem("playground-visit")) sessionStorage.setItem("playground-visit", now);
  return Number(sessionStorage.getItem("playground-visit"));
}

export const store = new Store();
export const isLive = (run) => ["pending", "submitting", "submitted", "queued", "running"].includes(run.state);
