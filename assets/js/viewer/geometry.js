// Where pictures lie. Pure functions: boxes in CSS pixels, pictures in image pixels.
//
// The view is relative to the first picture: `zoom` is image pixels per screen pixel (1 = 100 %; null = fit), `x` and
// `y` are the point of the picture, 0 to 1, that lies in the middle of its box. The others follow: by fit, the same
// share of the picture is seen in each; by pixel, all have the same scale and their middles lie together.

export const ZOOM_MOST = 8;
export const GAP = 8;
const LEAST_HEIGHT = 120;

const fitScale = (picture, box) => Math.min(box.width / picture.width, box.height / picture.height);

/** The scale of each picture (CSS pixels per image pixel) and, of the first, that of Fit. `ratio` is devicePixelRatio. */
export function scales(pictures, box, { zoom, align }, ratio) {
  const fits = pictures.map((picture) => fitScale(picture, box));
  const byPixel = align === "pixel";
  const fit = byPixel ? Math.min(...fits) : fits[0];
  const first = zoom === null ? fit : zoom / ratio;
  return { fit, each: fits.map((own) => (byPixel ? first : (first * own) / fits[0])) };
}

/** The smallest zoom: Fit, or 100 % where Fit would enlarge. */
export const leastZoom = (fit, ratio) => Math.min(fit * ratio, 1);

/** How far the middle of the view may lie from the pictures' middle, as shares of the first picture. */
function reach(pictures, box, each, byPixel, side) {
  const far = pictures.map((picture, at) => {
    const half = box[side] / (2 * picture[side] * each[at]);
    return Math.max(0, 0.5 - half) * (byPixel ? picture[side] / pictures[0][side] : 1);
  });
  return Math.max(...far);
}

const within = (value, least, most) => Math.min(most, Math.max(least, value));

/** The view with its zoom and its middle within their limits. */
export function bounded(pictures, box, view, ratio) {
  const { fit } = scales(pictures, box, view, ratio);
  const limited = view.zoom === null ? null : within(view.zoom, leastZoom(fit, ratio), ZOOM_MOST);
  const zoom = limited !== null && Math.abs(limited / (fit * ratio) - 1) < 0.001 ? null : limited;
  const { each } = scales(pictures, box, { ...view, zoom }, ratio);
  const byPixel = view.align === "pixel";
  const [across, down] = ["width", "height"].map((side) => reach(pictures, box, each, byPixel, side));
  return { ...view, zoom, x: within(view.x, 0.5 - across, 0.5 + across), y: within(view.y, 0.5 - down, 0.5 + down) };
}

/** Where each picture lies in its box: { left, top, scale }, on whole screen pixels. */
export function placed(pictures, box, view, ratio) {
  const { each } = scales(pictures, box, view, ratio);
  const onPixels = (value) => Math.round(value * ratio) / ratio;
  return pictures.map((picture, at) => {
    const [x, y] = middleOf(picture, pictures[0], view);
    const scale = each[at];
    return { left: onPixels(box.width / 2 - x * picture.width * scale), top: onPixels(box.height / 2 - y * picture.height * scale), scale };
  });
}

function middleOf(picture, first, { x, y, align }) {
  if (align !== "pixel") return [x, y];
  return [0.5 + ((x - 0.5) * first.width) / picture.width, 0.5 + ((y - 0.5) * first.height) / picture.height];
}

/** The view zoomed by `factor` so that what lies at `point` of a box (CSS pixels from its middle) stays there.
 *  `of` is the picture in that box. */
export function zoomedAt(pictures, box, view, ratio, factor, point, of = 0) {
  const before = scales(pictures, box, view, ratio);
  const zoom = within((view.zoom ?? before.fit * ratio) * factor, leastZoom(before.fit, ratio), ZOOM_MOST);
  const after = scales(pictures, box, { ...view, zoom }, ratio);
  const own = view.align === "pixel" ? 0 : of;
  const shift = (at, side) => (at / pictures[own][side]) * (1 / before.each[own] - 1 / after.each[own]);
  return { zoom, x: view.x + shift(point.x, "width"), y: view.y + shift(point.y, "height") };
}

/** The view dragged by CSS pixels, on the picture `of`. */
export function panned(pictures, box, view, ratio, dx, dy, of = 0) {
  const own = view.align === "pixel" ? 0 : of;
  const scale = scales(pictures, box, view, ratio).each[own];
  return { x: view.x - dx / (pictures[own].width * scale), y: view.y - dy / (pictures[own].height * scale) };
}

/** Equal boxes for `pictures` in a room, in as many columns as show them largest; no higher than the pictures need,
 *  unless they are to `fill` the room. */
export function boxes(pictures, room, fill = false) {
  let best = null;
  for (let columns = 1; columns <= pictures.length; columns++) {
    const rows = Math.ceil(pictures.length / columns);
    const width = Math.floor((room.width - GAP * (columns - 1)) / columns);
    const height = Math.floor((room.height - GAP * (rows - 1)) / rows);
    const shown = pictures.reduce((sum, picture) => sum + fitScale(picture, { width, height }) ** 2 * picture.width * picture.height, 0);
    const worth = shown * (pictures.length / (columns * rows)) ** 2; // a gap in the last row looks like a missing picture
    if (width > 0 && height > 0 && (!best || worth >= best.worth)) best = { columns, width, height, worth };
  }
  const { columns, width } = best;
  const height = fill ? best.height : neededHeight(pictures, best);
  return pictures.map((_, at) => ({ left: (at % columns) * (width + GAP), top: Math.floor(at / columns) * (height + GAP), width, height }));
}

/** One box for all pictures, no higher than they need. */
export function sharedBox(pictures, room, fill = false) {
  return { left: 0, top: 0, width: room.width, height: fill ? room.height : neededHeight(pictures, room) };
}

function neededHeight(pictures, box) {
  const fitting = pictures.map((picture) => Math.round(picture.height * fitScale(picture, box)));
  return Math.min(box.height, Math.max(LEAST_HEIGHT, ...fitting));
}
