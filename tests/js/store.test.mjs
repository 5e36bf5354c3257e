// The page over an update of the server, and over a history that began anew.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { pass, settle } from "./clock.mjs";

const kept = new Map();
globalThis.document = { documentElement: { dataset: {} }, hidden: true, querySelector: () => null };
globalThis.sessionStorage = {
  getItem: (name) => kept.get(name) ?? null,
  setItem: (name, value) => kept.set(name, value),
  removeItem: (name) => kept.delete(name),
};
const server = { epoch: "h1", version: "1.0", cursor: 5, asked: 0 };
globalThis.fetch = async () => {
  server.asked += 1;
  const page = { epoch: server.epoch, version: server.version, cursor: server.cursor, runs: [], stacks: {}, more: false, project: "inbox", projects: [], visit: {} };
  return { ok: true, json: async () => page };
};
const { Store } = await import("../../assets/js/state/store.js");

let store;
beforeEach(async () => {
  kept.clear();
  Object.assign(server, { epoch: "h1", version: "1.0", cursor: 5, asked: 0 });
  store = new Store();
  store.reload = mock.fn();
  await store.refresh();
});

const hello = (said, name = "hello") => store.hearServer({ epoch: "h1", version: "1.0", ...said }, name);

test("the same server changes nothing", async () => {
  hello({});
  await settle();
  assert.equal(store.reload.mock.callCount(), 0);
  assert.equal(server.asked, 1);
});

test("another epoch begins the page anew and is told once", async () => {
  hello({ epoch: "h2" }, "anew");
  assert.equal(store.reload.mock.callCount(), 1);
  const fresh = new Store();
  assert.equal(fresh.beganAnew(), true);
  assert.equal(fresh.beganAnew(), false);
});

test("another epoch in an answer does so too, and its runs are not mixed with the old ones", async () => {
  store.learn([{ id: "old", seq: 1, revision: 9 }]);
  Object.assign(server, { epoch: "h2", cursor: 0 });
  await store.refresh();
  assert.equal(store.reload.mock.callCount(), 1);
  assert.equal(store.cursor, 5);
});

test("another version reloads once, when the page is idle", async () => {
  hello({ version: "1.1" });
  await settle();
  assert.equal(store.reload.mock.callCount(), 1);
  hello({ version: "1.0" });
  hello({ version: "1.1" });
  await settle();
  assert.equal(store.reload.mock.callCount(), 2, "once for each version, however often two servers answer by turns");
});

test("an id that could not be read makes the page look again", async () => {
  hello({}, "anew");
  await settle();
  assert.equal(server.asked, 2);
  assert.equal(store.reload.mock.callCount(), 0);
});
