// The difference of two pictures of one size, away from the page's thread.

const pixelsOf = new Map(); // the last pair's bitmaps, by address

self.onmessage = async ({ data: { key, urls, gain } }) => {
  try {
    const started = performance.now();
    const [first, second] = await pair(urls);
    const computed = performance.now();
    const { canvas, mean, most } = difference(first, second);
    brighten(canvas, gain);
    const bitmap = canvas.transferToImageBitmap();
    const ended = performance.now();
    self.postMessage({ key, bitmap, mean, most, ms: { load: computed - started, compute: ended - computed } }, [bitmap]);
  } catch (error) {
    self.postMessage({ key, error: `The difference could not be computed: ${error.message}` });
  }
};

async function pair(urls) {
  for (const [url, bitmap] of pixelsOf) {
    if (!urls.includes(url)) {
      bitmap.close();
      pixelsOf.delete(url);
    }
  }
  return Promise.all(
    urls.map(async (url) => {
      if (!pixelsOf.has(url)) pixelsOf.set(url, await createImageBitmap(await (await fetch(url)).blob(), { colorSpaceConversion: "none" }));
      return pixelsOf.get(url);
    }),
  );
}

/** |A − B| of each channel, its mean over all pixels and channels, and its largest value; both of 255. */
function difference(first, second) {
  const { width, height } = first;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(first, 0, 0);
  context.globalCompositeOperation = "difference";
  context.drawImage(second, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  let sum = 0;
  let most = 0;
  for (let at = 0; at < data.length; at += 4) {
    sum += data[at] + data[at + 1] + data[at + 2];
    most = Math.max(most, data[at], data[at + 1], data[at + 2]);
  }
  return { canvas, mean: sum / (width * height * 3), most };
}

/** Multiply by `gain`, a power of two, by adding the picture to itself; values beyond white stay white. */
function brighten(canvas, gain) {
  const context = canvas.getContext("2d");
  context.globalCompositeOperation = "lighter";
  for (let reached = 1; reached < gain; reached *= 2) context.drawImage(canvas, 0, 0);
}
