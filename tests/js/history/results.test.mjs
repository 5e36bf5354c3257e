// The History list and the changes it hears of: each order of answers and events that loses one is driven by hand.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { pass, settle } from "../clock.mjs";

globalThis.document = { documentElement: { dataset: {} } };
globalThis.sessionStorage = { getItem: () => "1", setItem: () => {} };
const { store } = await import("../../../assets/js/state/store.js");
const { Results } = await import("../../../assets/js/history/results.js");

const LOOKED = 5000; // ms, in which any change has been looked at

/** The server: its runs, how many of them fill a page, and how many searches and counts were asked of it. */
const server = { runs: new Map(), page: Infinity, revision: 0, asked: { search: 0, count: 0 }, words: null, held: [], holds: false, isDown: false, cutsOff: false };

globalThis.fetch = async (path) => {
  const [route, words] = path.split("?");
  server.words = Object.fromEntries(new URLSearchParams(words));
  const { query, after = Infinity } = server.words;
  const found = [...server.runs.values()].filter((run) => !run.deleted && (!query || run.prompt.includes(query))).sort((a, b) => b.seq - a.seq);
  const left = found.filter((run) => run.seq < after);
  const runs = left.slice(0, server.page);
  const more = runs.length < left.length;
  const page = { runs, stacks: {}, more, next: more ? { after: runs.at(-1).seq, at: 20 } : null };
  const answer = { "/history": page, "/history/count": { count: found.length, total: found.length } }[route] ?? {};
  if (route === "/history") server.asked.search += 1;
  if (route === "/history/count") server.asked.count += 1;
  if (server.holds && route === "/history") await new Promise((release) => server.held.push(release));
  if (server.isDown) throw new TypeError("Failed to fetch");
  return { ok: true, json: async () => (server.cutsOff ? JSON.parse("{") : answer) };
};

/** A committed change; returns its event. */
function commit(id, fields) {
  const run = { ...server.runs.get(id), id, revision: ++server.revision, ...fields };
  server.runs.set(id, run);
  return { id: run.revision, data: run };
}

const lists = [];

function list(options = {}) {
  const made = new Results({ isShown: () => true, isAtTop: () => true, ...options });
  lists.push(made);
  return made;
}

const hear = (event) => store.apply(event);
async function results(options = {}) {
  const made = list(options);
  await made.find("cat", "newest");
  await pass(LOOKED);
  server.asked.search = server.asked.count = 0;
  return made;
}

const ids = (made) => made.runs.map((run) => run.id).join(" ");

beforeEach(() => {
  for (const made of lists) made.isShown = () => false; // those of the tests before listen on
  Object.assign(server, { runs: new Map(), page: Infinity, revision: 0, held: [], holds: false, isDown: false, cutsOff: false });
  Object.assign(store, { runs: new Map(), cursor: 0, project: "inbox", loaded: true, telling: false });
  for (const [index, id] of ["a", "b", "c"].entries()) hear(commit(id, { seq: index + 1, prompt: "cat", project: "inbox", state: "done", created_at: "1970-01-01" }));
});

test("an undo comes back after a change elsewhere, which leaves all figures as they are", async () => {
  const made = await results();
  hear(commit("b", { deleted: true }));
  await pass(LOOKED);
  assert.equal(ids(made), "c a");
  store.tell("change"); // as when the visit is counted
  await pass(LOOKED);
  hear(commit("b", { deleted: false }));
  await pass(LOOKED);
  assert.equal(ids(made), "c b a");
  assert.equal(made.count, 3);
});

test("an undo comes back in its place where one has scrolled away from the top", async () => {
  const made = await results({ isAtTop: () => false });
  hear(commit("b", { deleted: true }));
  await pass(LOOKED);
  assert.equal(ids(made), "c a");
  hear(commit("b", { deleted: false }));
  await pass(LOOKED);
  assert.equal(ids(made), "c b a");
  assert.equal(made.count, 3);
  assert.equal(server.asked.search, 0);
});

test("a run that matches only now is found, though it is neither new nor listed", async () => {
  hear(commit("d", { seq: 4, prompt: "dog", project: "inbox", state: "done" }));
  const made = await results();
  hear(commit("d", { prompt: "cat, once a dog" }));
  await pass(LOOKED);
  assert.equal(ids(made), "d c b a");
});

test("a change to a run that this page never saw whole is looked at", async () => {
  commit("old", { seq: 0, prompt: "cat", project: "inbox", state: "done" });
  const made = await results();
  assert.equal(ids(made), "c b a old");
  const { id } = commit("old", { deleted: true });
  hear({ id, data: { id: "old", seq: 0, deleted: true } });
  await pass(LOOKED);
  assert.equal(ids(made), "c b a");
});

test("what changes while the first answer is on its way is looked at after it", async () => {
  server.holds = true;
  const made = list();
  const first = made.find("cat", "newest");
  await settle();
  hear(commit("d", { seq: 4, prompt: "cat", project: "inbox", state: "done" }));
  await pass(LOOKED);
  server.holds = false;
  server.held.forEach((release) => release());
  await first;
  await pass(LOOKED);
  assert.equal(ids(made), "d c b a");
});

test("an answer that overtakes the events is not set back by what was heard before", async () => {
  const made = await results();
  hear(commit("b", { deleted: true }));
  await pass(LOOKED);
  const undone = commit("b", { deleted: false });
  await made.again();
  assert.equal(ids(made), "c b a");
  assert.equal(made.runs[1].deleted, false);
  hear(undone);
  await pass(LOOKED);
  assert.equal(ids(made), "c b a");
});

test("the next page is asked for as the server says, whatever became of the last run since", async () => {
  server.page = 2;
  const made = await results({ isAtTop: () => false });
  hear(commit("b", { deleted: true }));
  await pass(LOOKED);
  await made.next();
  assert.deepEqual([server.words.after, server.words.at], ["2", "20"]);
  assert.equal(ids(made), "c a");
  assert.equal(made.more, false);
});

test("a page that cannot be loaded leaves the list unfinished, and says why until it is loaded", async () => {
  server.page = 2;
  const made = await results({ isAtTop: () => false });
  const told = [];
  made.addEventListener("change", () => told.push([Boolean(made.stopped), made.isLoading]));
  server.isDown = true;
  await made.next();
  assert.match(made.stopped, /cannot be reached/);
  assert.equal(made.more, true);
  assert.equal(server.asked.search, 1);
  await made.next(); // as the list does whenever it is drawn near its end
  assert.equal(server.asked.search, 1);
  Object.assign(server, { isDown: false, cutsOff: true });
  await made.retry();
  assert.match(made.stopped, /cut off/);
  server.cutsOff = false;
  await made.retry();
  assert.equal(ids(made), "c b a");
  assert.deepEqual([made.stopped, made.more], ["", false]);
  assert.deepEqual(told, [[true, false], [true, true], [true, false], [true, true], [false, false]]);
});

test("a page that cannot be loaded says nothing of the search that is shown by then", async () => {
  server.page = 2;
  const made = await results();
  server.holds = true;
  const next = made.next();
  await settle();
  server.holds = false;
  await made.find("cat", "oldest");
  server.isDown = true;
  server.held.forEach((release) => release());
  await next;
  assert.equal(made.stopped, "");
  await made.next();
  assert.match(made.stopped, /cannot be reached/);
  server.isDown = false;
  await made.find("cat", "newest");
  assert.equal(made.stopped, "");
});

test("nothing is asked where nothing was committed", async () => {
  await results();
  for (let times = 0; times < 5; times += 1) {
    store.tell("change");
    await pass(1000);
  }
  assert.deepEqual(server.asked, { search: 0, count: 0 });
});

test("changes that come together are looked at once, and those that never calm down now and then", async () => {
  await results();
  for (let times = 0; times < 5; times += 1) {
    hear(commit("a", { progress: times / 5 }));
    await pass(100);
  }
  await pass(LOOKED);
  assert.equal(server.asked.search, 1);
  for (let times = 0; times < 50; times += 1) {
    hear(commit("a", { progress: times / 50 }));
    await pass(200);
  }
  await pass(LOOKED);
  assert.ok(server.asked.search >= 4 && server.asked.search <= 8, `asked ${server.asked.search} times`);
});

test("a list that no one sees asks nothing, and catches up when it is seen again", async () => {
  let isShown = false;
  const made = await results({ isShown: () => isShown });
  hear(commit("d", { seq: 4, prompt: "cat", project: "inbox", state: "done" }));
  await pass(LOOKED);
  assert.deepEqual(server.asked, { search: 0, count: 0 });
  isShown = true;
  await made.catchUp();
  assert.equal(ids(made), "d c b a");
});
