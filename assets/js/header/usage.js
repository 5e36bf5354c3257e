// The panel behind the header's cost: what was spent, by day, engine and project; and the room that the pictures take.

import { get } from "../lib/api.js";
import { zone } from "../lib/zone.js";
import { button, el, kilobytes, money } from "../lib/dom.js";
import { attempt } from "../lib/toast.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, GAP] = [600, 88, 3];
const dayWords = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const day = (iso) => dayWords.format(new Date(`${iso}T00:00:00Z`));
const pictures = (count) => `${count.toLocaleString()} ${count === 1 ? "picture" : "pictures"}`;

export async function openUsage() {
  const found = await attempt(() => get(`/usage?zone=${encodeURIComponent(zone)}`));
  if (!found) return;
  const dialog = el("dialog", { class: "pg-dialog pg-usage", "aria-label": "Spend and storage" },
    el("h2", {}, "Spend"),
    el("div", { class: "pg-usage-sums" }, figure("Today", found.today), figure("This month", found.month)),
    found.open_usd > 0 && el("p", { class: "pg-muted" }, `Under way or unanswered, and perhaps still to be charged: ${money(found.open_usd)}.`),
    ...chart(found.days),
    sums("Engine, this month", found.engines),
    sums("Project, this month", found.projects),
    el("p", { class: "pg-muted" }, "≈ is estimated from the pictures' sizes; billed is what fal told. Deleted pictures count too; restored ones do not."),
    el("h2", {}, "Storage"),
    ...storage(found.storage),
    el("div", { class: "pg-dialog-buttons" }, button("Close", () => dialog.close())));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/** A cost in words, without ≈ where fal billed all of it. */
const cost = ({ cost_usd, billed_usd }) => (cost_usd > 0 && billed_usd >= cost_usd - 1e-6 ? money(cost_usd).replace("≈ ", "") : cost_usd === 0 ? "$0" : money(cost_usd));

function figure(name, sum) {
  const billed = sum.billed_usd > 0 && sum.billed_usd < sum.cost_usd - 1e-6;
  return el("div", { class: "pg-usage-sum" },
    el("span", { class: "pg-muted" }, name),
    el("strong", { class: "pg-figures" }, cost(sum)),
    el("span", { class: "pg-muted" }, pictures(sum.pictures), billed && ` · billed $${sum.billed_usd.toFixed(2)} of it`));
}

/** Bars of each day's cost, or of its number of pictures where none cost anything; and a table for screen readers. */
function chart(days) {
  const entries = Object.entries(days);
  const paid = entries.some(([, sum]) => sum.cost_usd > 0);
  const valueOf = (sum) => (paid ? sum.cost_usd : sum.pictures);
  const most = Math.max(...entries.map(([, sum]) => valueOf(sum)));
  if (!most) return [el("p", { class: "pg-usage-none pg-muted" }, "Nothing was made in the last 30 days.")];
  const step = WIDTH / entries.length;
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "pg-usage-chart", "aria-hidden": "true", preserveAspectRatio: "none" });
  entries.forEach(([iso, sum], index) => {
    const height = valueOf(sum) ? Math.max(2, (valueOf(sum) / most) * HEIGHT) : 1;
    const bar = shape("rect", { x: index * step, y: HEIGHT - height, width: step - GAP, height, rx: 1.5, class: valueOf(sum) ? "" : "pg-usage-zero" });
    const title = shape("title", {});
    title.textContent = `${day(iso)}: ${cost(sum)}, ${pictures(sum.pictures)}`;
    bar.append(title);
    svg.append(bar);
  });
  const [first, last] = [entries[0][0], entries.at(-1)[0]];
  const top = paid ? `${money(most)} a day at most` : `${pictures(most)} a day at most`;
  const table = el("table", { class: "pg-unseen" }, el("caption", {}, "By day, the last 30 days"),
    el("thead", {}, el("tr", {}, ...["Day", "Cost", "Pictures"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...entries.filter(([, sum]) => sum.pictures || sum.cost_usd).map(([iso, sum]) => el("tr", {}, el("th", { scope: "row" }, day(iso)), el("td", {}, cost(sum)), el("td", {}, String(sum.pictures))))));
  return [svg, el("div", { class: "pg-usage-axis pg-muted", "aria-hidden": "true" }, el("span", {}, day(first)), el("span", {}, top), el("span", {}, `${day(last)}, today`)), table];
}

function shape(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function sums(title, byName) {
  const rows = Object.entries(byName).sort(([, one], [, other]) => other.cost_usd - one.cost_usd || other.pictures - one.pictures);
  if (!rows.length) return null;
  return el("table", { class: "pg-usage-table" },
    el("thead", {}, el("tr", {}, ...[title, "pictures", "cost", "billed"].map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, ...rows.map(([name, sum]) => el("tr", {}, el("th", { scope: "row" }, NAMES[name] ?? name), ...[sum.pictures.toLocaleString(), cost(sum), sum.billed_usd ? `$${sum.billed_usd.toFixed(2)}` : "–"].map((value) => el("td", { class: "pg-figures" }, value))))));
}

const NAMES = { demo: "Demo engine" };

function storage({ originals, originals_bytes, thumbs_bytes, database_bytes, limit_bytes, removed }) {
  const rows = [
    [`${pictures(originals)}, as they were made`, kilobytes(originals_bytes)],
    thumbs_bytes !== null && ["Small copies", kilobytes(thumbs_bytes)],
    database_bytes !== null && ["History", kilobytes(database_bytes)],
  ].filter(Boolean);
  return [
    el("dl", { class: "pg-usage-room" }, ...rows.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { class: "pg-figures" }, value)])),
    el("p", { class: "pg-muted" }, limit_bytes === null ? "There is no limit: every original is kept (PLAYGROUND_MEDIA_LIMIT_GB sets one)." : `The limit is ${kilobytes(limit_bytes)} of originals on this server. Above it those of the oldest pictures go that are no favourites; entries and small copies stay.`),
    removed > 0 && el("p", { class: "pg-muted" }, `${removed === 1 ? "The original of 1 picture was" : `The originals of ${removed.toLocaleString()} pictures were`} removed to save space.`),
  ];
}
