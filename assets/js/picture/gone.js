// A picture whose file was deleted under the server says so in its place; its settings are still there.

import { el } from "../lib/dom.js";

/** Error events of images do not bubble, so they are caught in the capture phase. */
export function watchForGonePictures() {
  document.addEventListener("error", ({ target }) => target instanceof HTMLImageElement && check(target), true);
}

async function check(image) {
  const { pathname } = new URL(image.src, location.href);
  if (!/^\/(media|thumbs)\//.test(pathname)) return;
  const answer = await fetch(pathname).catch(() => null); // unreachable is not gone
  if (answer?.status === 404 && image.isConnected) image.replaceWith(el("span", { class: "pg-gone", role: "img", "aria-label": `${image.alt} – its file is gone` }, "This picture's file is no longer in the data folder. Its settings are kept: Reuse all makes it anew."));
}
