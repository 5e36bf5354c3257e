// fal's JavaScript client knows no other host than queue.fal.run. Loaded before it, this leads its requests to the
// host in FAL_QUEUE_RUN_HOST, and everything else stays as it is.
const { fetch } = globalThis;

globalThis.fetch = (resource, options) =>
  fetch(String(resource).replace("https://queue.fal.run/", `https://${process.env.FAL_QUEUE_RUN_HOST}/`), options);
