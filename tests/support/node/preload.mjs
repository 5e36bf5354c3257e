// fal's JavaScript client has no setting for another host than queue.fal.run. Loaded before it, this sends its requests
// to the host in FAL_QUEUE_RUN_HOST and leaves all others as they are.
const { fetch } = globalThis;

globalThis.fetch = (resource, options) =>
  fetch(String(resource).replace("https://queue.fal.run/", `https://${process.env.FAL_QUEUE_RUN_HOST}/`), options);
