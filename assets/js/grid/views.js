// The two views of the Compare tab: the viewer, and the grid.

import { button, el } from "../lib/dom.js";
import { comparison } from "../state/comparison.js";
import { gridDesk } from "../state/desk-of-grids.js";

const VIEWS = { viewer: "Viewer", grid: "Grid" };

export function mountViews(element) {
  const buttons = Object.entries(VIEWS).map(([view, name]) => button(name, () => gridDesk.look(view), { "data-view": view }));
  element.append(el("div", { class: "pg-segment", role: "group", "aria-label": "Compare view" }, ...buttons));
  const draw = () => {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.view === gridDesk.view));
    element.closest(".tabitem, [role=tabpanel]")?.setAttribute("data-compare", gridDesk.view);
  };
  gridDesk.addEventListener("change", draw);
  comparison.addEventListener("open", () => gridDesk.look("viewer"));
  draw();
}
