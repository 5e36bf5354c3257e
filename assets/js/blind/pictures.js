// The pictures of a round as bitmaps: decoded, and without an address, a name, a type or a date that could reveal what
// made them.

import { getBytes } from "../lib/api.js";

/** The pictures of one ballot. Those of the next round are fetched while the current one is shown. */
export class Pictures {
  #base;
  #fetched = new Map(); // round → promise of its bitmaps

  constructor(base) {
    this.#base = base;
  }

  /** All pictures of a round, decoded, so that none appears before another. */
  async of(round, sides) {
    const bitmaps = this.#fetched.get(round) ?? this.#fetch(round, sides);
    for (const other of [...this.#fetched.keys()].filter((known) => known !== round)) this.#forget(other);
    try {
      return await bitmaps;
    } catch (error) {
      this.#fetched.delete(round);
      throw error;
    }
  }

  ahead(round, sides) {
    if (!this.#fetched.has(round)) this.#fetch(round, sides).catch(() => {}); // reported when the round is shown
  }

  forgetAll() {
    for (const round of [...this.#fetched.keys()]) this.#forget(round);
  }

  #fetch(round, sides) {
    const bitmaps = Promise.all(Array.from({ length: sides }, (_, side) => bitmapOf(`${this.#base}/${round}/${side}`)));
    this.#fetched.set(round, bitmaps);
    return bitmaps;
  }

  #forget(round) {
    this.#fetched.get(round).then((bitmaps) => bitmaps.forEach((bitmap) => bitmap.close()), () => {});
    this.#fetched.delete(round);
  }
}

async function bitmapOf(path) {
  // The server hides the type, and the browser detects it from the bytes: any image type will do here.
  const address = URL.createObjectURL(new Blob([await getBytes(path)], { type: "image/png" }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    return await createImageBitmap(image);
  } catch {
    throw new Error("A picture of this round could not be read.");
  } finally {
    URL.revokeObjectURL(address);
  }
}
