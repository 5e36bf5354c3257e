// Time that passes only when a test lets it. node's own mock of it (20) may drop another timer than the one that is cleared.

const timers = new Map(); // id → { at, work }
let [now, ids] = [1000, 0];

globalThis.setTimeout = (work, ms = 0) => {
  timers.set(++ids, { at: now + ms, work });
  return ids;
};
globalThis.clearTimeout = (id) => timers.delete(id);
performance.now = () => now;

/** Let what has an answer go on. */
export const settle = () => new Promise(setImmediate);

/** Let `ms` pass: what is due is done in its order, each with all that follows from it at once. */
export async function pass(ms) {
  const end = now + ms;
  await settle();
  for (;;) {
    const [next] = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at);
    if (!next) break;
    const [id, { at, work }] = next;
    timers.delete(id);
    now = Math.max(now, at);
    work();
    await settle();
  }
  now = end;
}
