// What the page asks of the server, and the one stream of events that it follows.

export async function ask(method, path, body, headers = {}, keepalive = false) {
  const plain = body === undefined || body instanceof Blob;
  let answer;
  try {
    answer = await fetch(`/api/${path}`, {
      method, keepalive,
      body: plain ? body : JSON.stringify(body),
      headers: plain ? headers : { "content-type": "application/json", ...headers },
    });
  } catch {
    throw new Error("The studio does not answer: is it still running?");
  }
  const data = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(data?.error ?? `The studio answered ${answer.status}.`);
  return data;
}

export const upload = (file) =>
  ask("POST", "sources", file, { "x-name": encodeURIComponent(file.name || "pasted.png") });

export function follow(handlers) {
  const source = new EventSource("/api/events");  // connects again by itself, except after an answer that is an error
  for (const [name, handle] of Object.entries(handlers))
    if (name !== "away") source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
  source.onopen = () => handlers.away(false);
  source.onerror = () => {
    handlers.away(true);
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(handlers), 5000);
  };
}
