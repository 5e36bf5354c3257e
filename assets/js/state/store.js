// The page's memory of the visitor's runs: one page from the server, then its changes as they are committed.

import { get, post, readEvents } from "../lib/api.js";
import { idle } from "../lib/idle.js";

const TABS = "playground-events-2"; // the tabs that share one stream: another name where what they tell each other changes
const ANEW = "playground-anew"; // in sessionStorage: the page reloads because the server's history is another one
const RELOADED = "playground-reloaded"; // in sessionStorage: the versions for which this tab was reloaded
const PAUSES = [500, 1000, 2000, 5000];
const STACK_MS = 500; // delay of counting the stacks with changed runs again, so that one request serves many changes

export class Store extends EventTarget {
  runs = new Map(); // id → card
  cursor = 0; // the revision of the newest change that is known
  epoch = ""; // the name of the server's history
  version = ""; // the server's program
  more = false;
  floor = Infinity; // all runs from this seq on are known; of older ones only some, because they changed
  project = "inbox"; // the chosen project: its id, "inbox" or "all"
  projects = []; // { id, name }, by name
  stacks = new Map(); // grid id → its stack: { count, live, done, thumbs, … }
  visit = { pictures: 0, cost_usd: 0 };
  engine = document.documentElement.dataset.engine ?? "";
  ownKey = false;
  ownHistory = false;
  backupDays = 0; // how long backups of the server are kept
  notice = null;
  online = true;
  loaded = false;
  stale = new Set(); // grids whose stacks are to be counted again
  // Answers may arrive in another order than their requests were sent: requests are numbered, and an answer is dropped
  // where that of a later request is shown already.
  questions = 0;
  refreshed = 0; // the number of the request whose page is shown
  visited = 0; // the number of the request whose visit is shown
  counted = new Map(); // grid id → the number of the request whose figures its stack has

  /** Cards of the project, newest first. */
  get newest() {
    return [...this.runs.values()].filter((run) => run.seq >= this.floor && this.shows(run)).sort((a, b) => b.seq - a.seq);
  }

  /** The same with one card for each grid: its newest run. */
  get items() {
    const grids = new Set();
    return this.newest.filter((run) => !this.isStacked(run) || (!grids.has(run.grid) && grids.add(run.grid)));
  }

  shows(run) {
    return !run.deleted && (this.project === "all" || run.project === this.project);
  }

  isStacked(run) {
    return Boolean(run.grid) && (this.stacks.get(run.grid)?.count ?? 2) > 1;
  }

  /** The known runs of a grid, newest first. */
  ofGrid(grid) {
    return [...this.runs.values()].filter((run) => run.grid === grid && this.shows(run)).sort((a, b) => b.seq - a.seq);
  }

  get projectName() {
    return { all: "All projects", inbox: "Inbox" }[this.project] ?? this.projects.find(({ id }) => id === this.project)?.name ?? "";
  }

  /** Dispatch one event for all runs that change together: there may be thousands. */
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
    const question = ++this.questions;
    const page = await get(`/runs?visit=${visitStart()}`);
    if (question < this.refreshed) return;
    this.refreshed = question;
    if (this.isAnotherServer(page)) return;
    if (page.project !== this.project) this.floor = Infinity; // it was that of another project
    this.project = page.project;
    this.projects = page.projects;
    this.merge(page, question);
    this.cursor = Math.max(this.cursor, page.cursor);
    this.more = page.more;
    this.hearVisit(page.visit, question);
    this.engine = page.engine;
    this.ownKey = page.own_key;
    this.ownHistory = page.own_history;
    this.backupDays = page.backup_days ?? 0;
    this.notice = page.notice;
    this.loaded = true;
    this.tell("change");
  }

  async older() {
    if (!this.more || this.fetching) return;
    this.fetching = true;
    const question = ++this.questions;
    try {
      const page = await get(`/runs?before=${this.floor}`);
      if (page.project !== this.project) return this.refresh(); // chosen in another tab
      this.more = page.more;
      this.merge(page, question);
      this.tell("change");
    } finally {
      this.fetching = false;
    }
  }

  merge(page, question) {
    this.learn(page.runs);
    this.hearStacks(Object.keys(page.stacks), page.stacks, question);
    this.floor = page.more ? Math.min(this.floor, page.runs.at(-1).seq) : -Infinity;
  }

  /** Forget all runs and load the first page again, after an import: imported runs come without events. */
  async again() {
    this.runs.clear();
    this.stacks.clear();
    this.floor = Infinity;
    await this.refresh();
    this.dispatchEvent(new Event("restored"));
  }

  /** Take over an answer's cards, except where an event has brought a newer revision meanwhile. */
  learn(runs) {
    for (const run of runs) if (!(this.runs.get(run.id)?.revision > run.revision)) this.runs.set(run.id, run);
  }

  /** Work in a project from now on, here and in the visitor's other tabs. */
  async choose(project) {
    this.heardOfProjects(await post("/projects/choose", { project }));
    await this.refresh();
  }

  /** A new project's id. */
  async makeProject(name, choose = true) {
    const answer = await post("/projects", { name, choose });
    this.heardOfProjects(answer);
    if (choose) await this.refresh();
    return answer.made.id;
  }

  async renameProject(id, name) {
    this.heardOfProjects(await post(`/projects/${id}/name`, { name }));
  }

  /** Its pictures move to the Inbox, or are deleted: `pictures` is "move" or "delete". Returns the server's answer. */
  async deleteProject(id, pictures) {
    const answer = await post(`/projects/${id}/delete`, { pictures });
    this.heardOfProjects(answer);
    await this.again();
    return answer;
  }

  async restoreProject(id) {
    this.heardOfProjects(await post(`/projects/${id}/restore`));
    await this.again();
  }

  /** The grids' pictures are shown anew, here and in the visitor's other tabs: as stacks, or each by itself. */
  async heardOfGrids() {
    this.channel.postMessage({ projects: true });
    await this.again();
  }

  /** The visitor's data are erased: the other tabs forget them too. */
  tellErased() {
    this.channel.postMessage({ erased: true });
  }

  heardOfProjects({ projects }) {
    this.projects = projects;
    this.tell("change");
    this.channel.postMessage({ projects: true });
  }

  /** Every run of a grid, so that its stack can be opened. */
  async loadGrid(grid) {
    for (let after = null; ; ) {
      const page = await get(`/history?${new URLSearchParams({ query: `grid:${grid}`, limit: 200, ...(after === null ? {} : { after }) })}`);
      this.learn(page.runs);
      if (!page.more) break;
      after = page.runs.at(-1).seq;
    }
    this.tell("change");
  }

  /** A stack's figures come from the server, for this page knows only some of its runs. */
  countStack(grid) {
    this.stale.add(grid);
    this.stackTimer ??= setTimeout(() => this.countStacks(), STACK_MS);
  }

  async countStacks() {
    const ids = [...this.stale];
    const question = ++this.questions;
    this.stale.clear();
    const found = await get(`/history/stacks?${new URLSearchParams({ ids: ids.join(","), project: this.project })}`).catch(() => null);
    this.stackTimer = null;
    if (found) this.hearStacks(ids, found.stacks, question);
    if (this.stale.size) this.countStack([...this.stale][0]);
    this.tell("change");
  }

  hearStacks(ids, stacks, question) {
    for (const id of ids) {
      if (question < this.counted.get(id)) continue;
      this.counted.set(id, question);
      if (stacks[id]) this.stacks.set(id, stacks[id]);
      else this.stacks.delete(id);
    }
  }

  /** Apply a change: the fields that differ. For a run that has no card here, a change without the whole card is
   *  dropped: the card will come with its page. */
  apply({ id, data }) {
    if (id <= this.cursor) return;
    this.cursor = id;
    const before = this.runs.get(data.id);
    const run = { ...before, ...data };
    this.tell("change");
    if (!before && run.prompt === undefined) return;
    this.runs.set(run.id, run);
    if (run.state === "done" && before?.state !== "done" && Date.parse(run.created_at) >= visitStart()) this.countSoon();
    if (run.grid) this.countStack(run.grid);
    if (run.grid && run.deleted && !before?.deleted) this.refresh().catch(() => {}); // another of its runs may stand for the stack now
  }

  /** Count the visit once for pictures that arrive together, after they are drawn. */
  countSoon() {
    clearTimeout(this.counting);
    this.counting = setTimeout(() => this.countVisit(), 300);
  }

  async countVisit() {
    const question = ++this.questions;
    this.hearVisit(await get(`/runs/visit?since=${visitStart()}`).catch(() => this.visit), question);
    this.tell("change");
  }

  hearVisit(visit, question) {
    if (question < this.visited) return;
    this.visited = question;
    this.visit = visit;
  }

  /** One event stream for all tabs of this browser: over HTTP/1.1 a browser opens only six connections to a host. */
  share() {
    this.channel = new BroadcastChannel(TABS);
    this.channel.onmessage = ({ data }) => {
      if (data.erased) this.dispatchEvent(new Event("erased"));
      else if (data.projects) this.refresh().catch(() => {});
      else if (data.server) this.hearServer(data.server, data.name);
      else this.apply(data);
    };
  }

  /** What the server says of itself. Another epoch: this page shows a history that is gone there, so it begins anew, and
   *  says so once. Another version: this page's scripts are old, so it reloads when nothing is pressed. The draft stays. */
  isAnotherServer({ epoch, version }) {
    const before = { epoch: this.epoch, version: this.version };
    Object.assign(this, { epoch, version });
    if (before.epoch && epoch !== before.epoch) {
      sessionStorage.setItem(ANEW, "1");
      this.reload();
      return true;
    }
    const reloaded = (sessionStorage.getItem(RELOADED) ?? "").split(" ");
    if (before.version && version !== before.version && !reloaded.includes(version)) {
      sessionStorage.setItem(RELOADED, [...reloaded, version].join(" ")); // once each: two servers may answer by turns
      idle().then(() => this.reload());
    }
    return false;
  }

  reload() {
    location.reload();
  }

  /** Whether the page was reloaded because its history was gone; true once. */
  beganAnew() {
    const anew = Boolean(sessionStorage.getItem(ANEW));
    if (anew) sessionStorage.removeItem(ANEW);
    return anew;
  }

  lead() {
    const stream = () => this.stream();
    if (navigator.locks) navigator.locks.request(TABS, stream).catch(stream); // refused without storage
    else stream();
  }

  async stream() {
    for (let failures = 0; ; ) {
      try {
        await readEvents("/events", this.epoch ? `${this.epoch}.${this.cursor}` : "", ({ name, id, data }) => {
          failures = 0;
          this.setOnline(true);
          const event = name === "run" ? { id: Number(id.slice(id.lastIndexOf(".") + 1)), data } : { name, server: data };
          this.channel.postMessage(event);
          if (event.server) this.hearServer(event.server, name);
          else this.apply(event);
        });
      } catch {
        failures += 1;
        if (failures > 1) this.setOnline(false);
      }
      await new Promise((resolve) => setTimeout(resolve, PAUSES[Math.min(failures, PAUSES.length - 1)]));
      if (failures) await this.refresh().then(() => this.setOnline(true), () => {});
    }
  }

  hearServer(server, name) {
    if (!this.isAnotherServer(server) && name === "anew") this.refresh().catch(() => {});
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
