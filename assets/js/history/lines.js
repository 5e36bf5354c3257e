// The results as lines for the list: headings, rows of as many cards as fit, and open stacks between bars of their own.

const HEADING = 38;
const STACK_HEAD = 46;
const STACK_END = 20;
const FIRST = 96; // runs that decide whether headings are days or months
const year = new Intl.DateTimeFormat(undefined, { year: "numeric" });
const month = new Intl.DateTimeFormat(undefined, { month: "long", year: "numeric" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "long", year: "numeric" });

/** A heading for each day where the order is by time, and rows; an open stack has a line of its own, then its pictures. */
export function linesOf({ items, sort }, count, height, view) {
  const lines = [];
  const headingOf = headings(items, sort);
  let heading = null;
  let row = null;
  const add = (item, inside) => {
    if (!row || row.runs.length === count || row.inside !== inside) lines.push((row = { key: `${view} ${inside ? "in " : ""}${item.id}`, runs: [], height, inside }));
    row.runs.push(item);
  };
  for (const item of items) {
    const words = headingOf(item);
    if (words !== heading) {
      heading = words;
      // The key holds an id, because imported runs can make a day appear twice.
      lines.push({ key: `${view} ${words} ${item.id}`, heading: words, height: HEADING });
      row = null;
    }
    if (!item.cells) {
      add(item, false);
      continue;
    }
    lines.push({ key: `${view} open ${item.id}`, opened: item, height: STACK_HEAD });
    for (const cell of item.cells) add(cell, true);
    lines.push({ key: `${view} end ${item.id}`, end: true, height: STACK_END });
    row = null;
  }
  return lines;
}

/** A function from a run to its heading. By time: its day, or its month or year where shorter periods hold too few
 *  runs; else the value that the list is sorted by. */
function headings(items, sort) {
  if (sort === "steps") return (run) => `${run.settings.num_inference_steps} steps`;
  if (sort === "guidance") return (run) => `Guidance ${run.settings.guidance_scale}`;
  if (sort === "seed" || sort === "longest") return () => null;
  const dayOf = (run) => new Date(run.created_at).setHours(0, 0, 0, 0);
  const first = items.slice(0, FIRST).map(dayOf);
  const groups = (words) => new Set(first.map((one) => words.format(one))).size;
  const words = [day, month].find((one) => groups(one) <= Math.max(6, first.length / 4)) ?? year;
  const today = new Date().setHours(0, 0, 0, 0);
  return (run) => ({ 0: "Today", 1: "Yesterday" })[Math.round((today - dayOf(run)) / 864e5)] ?? words.format(dayOf(run));
}
