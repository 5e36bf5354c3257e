// Exports: of the selection, of what matches, of everything. The browser downloads them, and shows how far it is.

import { post } from "../lib/api.js";
import { el } from "../lib/dom.js";
import { zone } from "../lib/zone.js";
import { openMenu } from "../lib/menu.js";
import { chooseExport } from "../create/import.js";
import { attempt, toast } from "../lib/toast.js";
import { openUsage } from "../header/usage.js";

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
  const { query, project, count, total } = results;
  const matching = { query, project, zone, newest: results.newestSeq };
  const items = (what, chosen) => Object.entries(KINDS).map(([kind, name]) => ({ name: `${what}: ${name}`, run: () => exportRuns(kind, chosen) }));
  openMenu(anchor, [
    ...(query && count ? items(`${count.toLocaleString()} that match`, matching) : []),
    ...(total ? items("Everything", { everything: true }) : []),
    { name: "Restore an export…", run: chooseExport },
    { name: "Spend and storage…", run: openUsage },
  ]);
}
