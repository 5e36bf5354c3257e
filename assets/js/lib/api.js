// Calls of our own routes. An error becomes an Error with the server's sentence, and its `issues`: what is wrong
// with which setting. `answered`: it is the server's answer, not a failure to reach it.

export async function ask(method, path, body, headers = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The playground's server cannot be reached. What is running goes on there; try again in a moment.");
  }
  if (response.ok) return response;
  const answer = await response.json().catch(() => ({}));
  const error = new Error(answer.message ?? answer.detail ?? `The server answered ${response.status}.`);
  throw Object.assign(error, { answered: true, issues: answer.issues ?? [] });
}

const json = (response) => response.json().catch(() => ({}));

export const get = async (path) => json(await ask("GET", path));
export const getBytes = async (path) => (await ask("GET", path)).arrayBuffer();
export const post = async (path, body = {}) => json(await ask("POST", path, body));
export const remove = async (path) => json(await ask("DELETE", path));

/** Read server-sent events with fetch until the stream ends or `signal` aborts. */
export async function readEvents(path, lastId, onEvent, signal) {
  const response = await fetch(path, { headers: { Accept: "text/event-stream", "Last-Event-ID": String(lastId) }, signal });
  if (!response.ok || !response.body) throw new Error(`The server answered ${response.status}.`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split(/\r?\n\r?\n/);
    rest = blocks.pop();
    for (const block of blocks) {
      const field = (name) => block.split(/\r?\n/).filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).trim()).join("\n");
      if (field("data")) onEvent({ name: field("event"), id: field("id"), data: JSON.parse(field("data")) });
    }
  }
}
