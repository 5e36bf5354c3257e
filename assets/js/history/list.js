// A long list of which only the lines near the window are in the document; spacers stand for the others.
// A line is { key, height, … }; `draw(line, node)` returns its node, given the one it had.

const MARGIN = 900; // pixels above and below the window that are drawn too

export class VirtualList {
  #lines = [];
  #tops = [0];
  #nodes = new Map();

  constructor(element, { draw, nearEnd }) {
    this.element = element;
    this.draw = draw;
    this.nearEnd = nearEnd;
    this.above = spacer();
    this.below = spacer();
    element.append(this.above, this.below);
    addEventListener("scroll", () => this.update(), { passive: true });
    addEventListener("resize", () => this.update(), { passive: true });
  }

  set(lines) {
    this.#lines = lines;
    this.#tops = [0];
    for (const line of lines) this.#tops.push(this.#tops.at(-1) + line.height);
    this.update();
  }

  /** Draw what is near the window. Lines that stay keep their nodes, and so the focus. */
  update() {
    if (!this.element.offsetParent) return;
    const top = -this.element.getBoundingClientRect().top;
    const from = this.#lineAt(top - MARGIN);
    const to = Math.min(this.#lines.length, this.#lineAt(top + innerHeight + MARGIN) + 1);
    const kept = new Map();
    let place = this.above;
    for (const line of this.#lines.slice(from, to)) {
      const node = this.draw(line, this.#nodes.get(line.key));
      kept.set(line.key, node);
      if (place.nextSibling !== node) place.after(node);
      place = node;
    }
    for (const [key, node] of this.#nodes) if (kept.get(key) !== node) node.remove();
    this.#nodes = kept;
    this.above.style.height = `${this.#tops[from] ?? 0}px`;
    this.below.style.height = `${(this.#tops.at(-1) ?? 0) - (this.#tops[to] ?? 0)}px`;
    if (this.#tops.at(-1) < top + 2 * innerHeight + MARGIN) this.nearEnd();
  }

  /** The index of the line at `y` pixels from the list's top. */
  #lineAt(y) {
    let [low, high] = [0, Math.max(0, this.#lines.length - 1)];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Where a line's top edge is in the window; null where it is not in the list. */
  topOf(isWanted) {
    const index = this.#lines.findIndex(isWanted);
    return index < 0 ? null : { top: this.element.getBoundingClientRect().top + this.#tops[index], height: this.#lines[index].height };
  }

  /** The first line with runs that reaches below `edge`, in pixels of the window. */
  firstBelow(edge) {
    const y = edge - this.element.getBoundingClientRect().top;
    return this.#lines.find((line, index) => line.runs && this.#tops[index] + line.height > y);
  }
}

function spacer() {
  const element = document.createElement("div");
  element.setAttribute("role", "presentation");
  element.className = "pg-h-spacer";
  return element;
}
