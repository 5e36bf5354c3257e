// Generate: a second click within 400 ms is the same press, each later one counts; Gradio's request gets a key.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { pass } from "../clock.mjs";

const listeners = {};
const click = (event) => listeners.click(event);
const sent = [];
let answers = [];
globalThis.document = { addEventListener: (name, listener) => (listeners[name] = listener), createElement: () => ({ append() {}, setAttribute() {}, children: [] }), querySelectorAll: () => [], body: { append() {} } };
globalThis.window = {
  gradio_config: {
    components: [{ id: 3, props: { elem_id: "prompt" } }, { id: 7, props: { elem_id: "generate" } }],
    dependencies: [{ id: 0, targets: [[3, "change"], [7, "load"]] }, { id: 5, targets: [[7, "click"]] }],
  },
  fetch: async (path, options) => {
    sent.push({ path, key: options?.headers?.get?.("Idempotency-Key") ?? null });
    const answer = answers.shift() ?? "answer";
    if (answer instanceof Error) throw answer;
    return answer;
  },
};
const { watchGenerate } = await import("../../../assets/js/create/generate.js");
watchGenerate();

const press = (selector = "#generate") => {
  const event = { target: { closest: (asked) => (asked === selector ? {} : null) }, stopped: false, stopImmediatePropagation() { this.stopped = true; }, preventDefault() {} };
  click(event);
  return !event.stopped;
};
const post = (fn_index, path = "/gradio_api/run/predict") => window.fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ data: [], fn_index }) });

beforeEach(async () => {
  sent.length = 0;
  answers = [];
  await pass(10000);
});

test("a second click within 400 ms is the same press, each later one counts", async () => {
  const counted = [press()];
  for (const pause of [50, 340, 20, 399, 1]) {
    await pass(pause);
    counted.push(press());
  }
  assert.deepEqual(counted, [true, false, false, true, false, true]);
});

test("with something typed in between it is another press", async () => {
  const counted = [press()];
  await pass(10);
  listeners.input({ target: { closest: (asked) => (asked === "#controls" ? {} : null) } });
  await pass(10);
  counted.push(press());
  await pass(10);
  listeners.input({ target: { closest: () => null } });
  counted.push(press());
  assert.deepEqual(counted, [true, true, false]);
});

test("clicks elsewhere always count", () => {
  assert.deepEqual([press("#swap"), press("#swap")], [true, true]);
});

test("only a press of Generate gets a key, each its own", async () => {
  await post(5);
  await post(5);
  await post(0);
  await post(5, "/elsewhere");
  await window.fetch("/runs");
  const [first, second, ...others] = sent.map(({ key }) => key);
  assert.match(first, /^[0-9a-f]{32}$/);
  assert.notEqual(first, second);
  assert.deepEqual(others, [null, null, null]);
});

test("while the server is away it is kept, and sent with the same key", async () => {
  answers = [new TypeError("away"), new TypeError("away")];
  const answer = post(5);
  await pass(2000);
  assert.equal(await answer, "answer");
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent.map(({ key }) => key)).size, 1);
});
