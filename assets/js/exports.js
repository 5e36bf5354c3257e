// Exports: of the selection, of what matches, of everything. The browser downloads them, and shows how far it is.

import { post } from "./api.js";
import { el } from "./dom.js";
import { zone } from "./history-results.js";
import { openMenu } from "./menu.js";
import { chooseExport } from "./restore.js";
import { attempt, toast } from "./toast.js";
import { openUsage } from "./usage.js";

const KINDS = { zip: "ZIP with the pictures", csv: "CSV for spreadsheets", jsonl: "JSONL, every field" };

/** Ask for an export; `chosen` as the server's bulk actions take it, or `{ everything: true }`. */
async function exportRuns(kind, chosen) {
  const order = await attempt(() => post("/archive/exports", { ...chosen, kind }));
  if (!order) return;
  el("a", { href: order.url, download: "" }).click();
  toast(`The download of ${order.runs.toLocaleString()} ${order.runs === 1 ? "run" : "runs"} begins.`);
}

/** The menu of the selection bar. */
export function openExportOf(anchor, chosen) {
  openMenu(anchor, Object.entries(KINDS).map(([kind, name]) => ({ name, run: () => exportRuns(kind, chosen) })));
}

/** The menu of the History tab. */
export function openExports(anchor, results) {
  const { query, count, total } = results;
  const matching = { query, zone, newest: results.newestSeq };
  const items = (what, chosen) => Object.entries(KINDS).map(([kind, name]) => ({ name: `${what}: ${name}`, run: () => exportRuns(kind, chosen) }));
  openMenu(anchor, [
    ...(query && count ? items(`${count.toLocaleString()} that match`, matching) : []),
    ...(total ? items("Everything", { everything: true }) : []),
    { name: "Restore an export…", run: chooseExport },
    { name: "Spend and storage…", run: openUsage },
  ]);
}
