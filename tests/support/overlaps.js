// Layout faults that a user would see: text over a control, and controls too small for their text. One line for each.

(onPurpose) => {
  const floats = (node) => ["fixed", "sticky"].includes(getComputedStyle(node).position);
  const layer = (node) => { for (; node; node = node.parentElement) if (floats(node)) return node; return null; };
  const shown = (node) => node.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const cut = (rect, node) => {
    let { left, top, right, bottom } = rect;
    for (; node; node = node.parentElement) {
      const style = getComputedStyle(node);
      if (style.overflowX === "visible" && style.overflowY === "visible") continue;
      const box = node.getBoundingClientRect();
      [left, top] = [Math.max(left, box.left), Math.max(top, box.top)];
      [right, bottom] = [Math.min(right, box.right), Math.min(bottom, box.bottom)];
    }
    return { left, top, right, bottom };
  };
  const shared = (a, b, low, high) => Math.max(0, Math.min(a[high], b[high]) - Math.max(a[low], b[low]));
  const area = (a, b) => shared(a, b, "left", "right") * shared(a, b, "top", "bottom");
  const middle = (a, b, low, high) => (Math.max(a[low], b[low]) + Math.min(a[high], b[high])) / 2;
  const topmost = (a, b) => document.elementFromPoint(middle(a, b, "left", "right"), middle(a, b, "top", "bottom"));
  const name = (node) => (node.getAttribute("aria-label") ?? node.textContent).trim().slice(0, 40);
  const boxes = [...document.querySelectorAll("button, input, select, textarea")]
    .filter((node) => shown(node) && node.getBoundingClientRect().width > 1 && !node.matches(onPurpose))
    .map((node) => [node, cut(node.getBoundingClientRect(), node.parentElement), layer(node)]);
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const holder = text.parentElement;
    if (!text.data.trim() || !shown(holder) || holder.closest("script, style, textarea, .pg-unseen")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = [...range.getClientRects()].map((rect) => cut(rect, holder));
    const button = holder.closest("button");
    const room = button?.getBoundingClientRect();
    if (room && lines.some((line) => line.left < room.left - 1 || line.right > room.right + 1)) {
      found.push(`too small for its words: ${name(button)}`);
    }
    for (const [node, box, its] of boxes) {
      if (node.contains(holder) || holder.contains(node) || holder.closest("label")?.contains(node)) continue;
      // Text that scrolls under a bar is covered by it, and a fault only where it is drawn above the bar.
      const isSeen = (line) => layer(holder) === its || (!layer(holder) && holder.contains(topmost(line, box)));
      if (lines.some((line) => area(line, box) > 6 && isSeen(line))) {
        found.push(`“${text.data.trim().slice(0, 40)}” over ${name(node)}`);
      }
    }
  }
  return [...new Set(found)];
}
