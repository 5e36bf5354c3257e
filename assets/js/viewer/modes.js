// The four ways to look at the same pictures, and when each is possible.

import { LETTERS } from "../state/comparison.js";

export const MODES = [
  { id: "slider", name: "Slider" },
  { id: "side", name: "Side by side" },
  { id: "blink", name: "Blink" },
  { id: "difference", name: "Difference" },
];

export const sizesDiffer = (pictures) => new Set(pictures.map(sizeOf)).size > 1;
const sizeOf = ({ width, height }) => `${width} × ${height}`;

/** Why a mode cannot be used with these pictures, in words; null where it can. */
export function obstacle(mode, pictures) {
  if ((mode === "slider" || mode === "difference") && pictures.length !== 2) {
    return `Slider and Difference take exactly two pictures; here are ${pictures.length}.`;
  }
  if (mode === "difference" && sizesDiffer(pictures)) {
    const sizes = pictures.map((picture, at) => `${LETTERS[at]} has ${sizeOf(picture)}`);
    return `Difference needs two pictures of one size: ${sizes.join(", ")}.`;
  }
  return null;
}
