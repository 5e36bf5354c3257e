// Keeps the scroll position when the user leaves the tab and comes back, and when the lines are laid out again.

/** `edge()` is where the page's sticky part ends, in pixels; `shownAgain()` is called on coming back to the tab. */
export function keepPlace(body, list, edge, shownAgain) {
  let mine = 0; // the History tab's scroll position
  let others = 0; // the one before it was opened
  let shown = Boolean(body.offsetParent);
  addEventListener("scroll", () => {
    if (Boolean(body.offsetParent) !== shown) return; // caused by a change of tab, not by the user
    if (shown) mine = scrollY;
    else others = scrollY;
  }, { passive: true });
  new ResizeObserver(() => {
    if (Boolean(body.offsetParent) === shown) return;
    shown = !shown;
    const to = shown ? mine : others;
    if (shown) list.update();
    scrollTo({ top: to, behavior: "instant" });
    list.update();
    if (shown) shownAgain();
  }).observe(body);

  const holds = (id) => (line) => line.runs?.some((run) => run.id === id);

  /** Change the layout while the run `id`, else the first one in view, stays where it is in the window. */
  function around(id, change) {
    const inView = (line) => line && line.top + line.height > edge() && line.top < innerHeight;
    const wanted = id && inView(list.topOf(holds(id))) ? id : list.firstBelow(edge())?.runs[0].id;
    const before = list.topOf(holds(wanted))?.top;
    change();
    const after = list.topOf(holds(wanted))?.top;
    if (scrollY > 0 && before !== undefined && after !== undefined && before !== after) scrollBy({ top: after - before, behavior: "instant" });
    if (id) reveal(id);
    list.update();
  }

  /** Scroll as little as is needed for the run to be seen whole. */
  function reveal(id) {
    const line = list.topOf(holds(id));
    if (!line) return;
    if (line.top < edge()) scrollBy({ top: line.top - edge(), behavior: "instant" });
    else if (line.top + line.height > innerHeight) scrollBy({ top: line.top + line.height - innerHeight, behavior: "instant" });
    list.update();
  }
  return { around, reveal };
}
