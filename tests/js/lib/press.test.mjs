// Buttons that make pictures: held until answered, sent again with the same key.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { pass, settle } from "../clock.mjs";

const nodes = [];
const toasts = [];
class Node {
  constructor(attributes = {}) {
    this.dataset = {};
    this.attributes = new Map();
    this.children = [];
    for (const [name, value] of Object.entries(attributes)) this.setAttribute(name, value);
    nodes.push(this);
  }
  setAttribute(name, value) {
    this.attributes.set(name, value);
    if (name === "data-press") this.dataset.press = value;
    if (name === "disabled") this.disabled = true;
  }
  removeAttribute(name) { this.attributes.delete(name); }
  append(...parts) { this.children.push(...parts); for (const part of parts) if (typeof part === "string") toasts.push(part); }
  appendChild(node) { return node; }
  focus() { document.activeElement = this; }
  remove() {}
  isConnected = true;
}
globalThis.document = {
  body: new Node(),
  createElement: () => new Node(),
  querySelectorAll: (selector) => nodes.filter(({ dataset }) => selector === `[data-press="${dataset.press}"]`),
};
const server = { sent: [], answers: [] };
globalThis.fetch = async (path, { method, headers, body }) => {
  server.sent.push({ path, method, key: headers["Idempotency-Key"], body });
  const answer = server.answers.shift() ?? { runs: ["new"] };
  if (answer instanceof Error) throw answer;
  return { ok: !answer.status, status: answer.status ?? 200, json: async () => answer };
};
const { hold, patiently, pay, pressOf } = await import("../../../assets/js/lib/press.js");
const away = () => new TypeError("Failed to fetch");

beforeEach(() => {
  Object.assign(server, { sent: [], answers: [] });
  document.activeElement = document.body;
  nodes.length = toasts.length = 0;
});

test("each press has a key of its own", async () => {
  assert.deepEqual(await pay("/runs/a/new-seeds"), { runs: ["new"] });
  await pay("/runs/a/new-seeds", { field: "x" });
  const [first, second] = server.sent;
  assert.match(first.key, /^[0-9a-f]{32}$/);
  assert.notEqual(first.key, second.key);
  assert.deepEqual([first.method, first.body, second.body], ["POST", "{}", '{"field":"x"}']);
});

test("while the server is away a press is kept, and sent with the same key", async () => {
  server.answers = [away(), away(), away()];
  const answer = pay("/runs/a/new-seeds");
  await pass(3500);
  assert.deepEqual(await answer, { runs: ["new"] });
  assert.equal(server.sent.length, 4);
  assert.equal(new Set(server.sent.map(({ key }) => key)).size, 1);
  assert.equal(toasts.filter((text) => text.startsWith("The server cannot be reached.")).length, 1);
});

test("after a minute it gives up and says so", async () => {
  server.answers = Array.from({ length: 20 }, away);
  const answer = assert.rejects(pay("/runs/a/new-seeds"), /cannot be reached/);
  await pass(70000);
  await answer;
  assert.equal(server.sent.length, 9);
});

test("what the server answers is not asked again", async () => {
  server.answers = [{ status: 402, message: "Too dear." }];
  await assert.rejects(pay("/runs/a/new-seeds"), /Too dear/);
  assert.equal(server.sent.length, 1);
});

test("every button of a press is held until its answer, drawn anew or not", async () => {
  const before = [new Node({ "data-press": "retry a" }), new Node({ "data-press": "retry a" })];
  const other = new Node({ "data-press": "retry b" });
  let [end, calls] = [null, 0];
  const work = () => {
    calls += 1;
    return new Promise((done) => (end = done));
  };
  const held = hold("retry a", work);
  assert.equal(await hold("retry a", work), null);
  const after = new Node(pressOf("retry a"));
  assert.deepEqual([...before, after].map((node) => [node.disabled, node.attributes.get("aria-busy")]), Array(3).fill([true, "true"]));
  assert.equal(other.disabled, undefined);
  end("answer");
  assert.equal(await held, "answer");
  assert.deepEqual([...before, after].map((node) => [node.disabled, node.attributes.has("aria-busy")]), Array(3).fill([false, false]));
  assert.deepEqual([calls, pressOf("retry a")], [1, { "data-press": "retry a" }]);
});

test("an error releases them, and the focus comes back", async () => {
  const node = new Node({ "data-press": "retry a" });
  node.focus();
  const held = assert.rejects(hold("retry a", async () => {
    document.activeElement = document.body; // as browsers do when a button is disabled
    throw new Error("no");
  }), /no/);
  await settle();
  await held;
  assert.deepEqual([node.disabled, document.activeElement === node], [false, true]);
});

test("anything can be sent patiently", async () => {
  let calls = 0;
  const sent = patiently(async () => {
    calls += 1;
    if (calls < 3) throw away();
    return "there";
  });
  await pass(2000);
  assert.deepEqual([await sent, calls], ["there", 3]);
});
