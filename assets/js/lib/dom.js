// Small helpers for building the page. All text is set as text: nothing here, or anywhere, writes HTML from data.

/** An element: `el("button", { class: "x", onclick: f }, "text", child)`. Null and false children are left out. */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SHAPES = {
  star: "M8 1.8l1.9 4 4.4.5-3.3 3 .9 4.3L8 11.5l-3.9 2.1.9-4.3-3.3-3 4.4-.5z",
  more: "M3 8h.01M8 8h.01M13 8h.01",
  grid: "M2.5 2.5h4.5v4.5h-4.5zM9 2.5h4.5v4.5h-4.5zM2.5 9h4.5v4.5h-4.5zM9 9h4.5v4.5h-4.5z",
  swap: "M2 5.5h11M10 2.5l3 3-3 3M14 10.5H3M6 7.5l-3 3 3 3",
  code: "M5.5 4.5L2 8l3.5 3.5M10.5 4.5L14 8l-3.5 3.5",
  key: "M10.5 5.5a3 3 0 1 1-2.6 4.5H6.5L5 11.5 3.5 10 2 11.5",
};

/** A line icon, hidden from assistive technology: the button around it has a name. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("pg-icon", `pg-icon-${name}`);
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

export function button(name, onclick, { label = null, ...attributes } = {}, ...children) {
  const shown = children.length ? children : [name];
  return el("button", { type: "button", class: "pg-button", "aria-label": label ?? (children.length ? name : null), onclick, ...attributes }, ...shown);
}

/** Replace an element's children only when `key` differs from the last time, so that focus and pictures stay put. Where
 *  the focused control is replaced, the new control of the same name gets the focus: a star can be pressed again. */
export function redraw(element, key, children) {
  const text = JSON.stringify(key);
  if (element.dataset.drawn === text) return;
  element.dataset.drawn = text;
  const focused = element.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  element.replaceChildren(...children().flat().filter(Boolean));
  if (focused === null) return;
  const heir = [...element.querySelectorAll("button, a[href], input, select, textarea, summary, [tabindex]")].find((control) => nameOf(control) === focused);
  heir?.focus({ preventScroll: true });
}

const nameOf = (control) => control.getAttribute("aria-label") ?? control.textContent;

export const money = (usd) => (usd >= 0.01 || usd === 0 ? `≈ $${usd.toFixed(2)}` : `≈ $${usd.toFixed(4).replace(/0+$/, "")}`);

export function kilobytes(bytes) {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(bytes < 100 * 2 ** 30 ? 1 : 0)} GB`;
  return bytes < 2 ** 20 ? `${Math.max(1, Math.round(bytes / 1024))} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

export const seconds = (value) => (value < 10 ? `${value.toFixed(1)} s` : `${Math.round(value)} s`);
