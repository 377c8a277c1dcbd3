// The access of this tab. The token is in the tab's own storage, which no other tab, port or site can read; no cookie is
// set, since browsers send those to every port of this machine.

const KEY = "fairlead";
const SILENT_MS = 25000;

export class Closed extends Error {}
export class Refused extends Error {}

let session = null;

export function restore() {
  try {
    session = JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    session = null;
  }
  return session;
}

export function forget() {
  session = null;
  sessionStorage.removeItem(KEY);
}

export const isCode = () => /^#[\w-]{40,50}$/.test(location.hash);

// The code in the address, which is taken out of it before anything else happens.
export function takeCode() {
  if (!isCode()) return null;
  const code = location.hash.slice(1);
  history.replaceState(null, "", location.pathname);
  return code;
}

async function ask(path, token, signal) {
  const answer = await fetch(path, {
    headers: { authorization: `Bearer ${token}` }, credentials: "omit", cache: "no-store", signal,
  });
  if (answer.ok) return answer;
  let message = `The proxy answered with status ${answer.status}.`;
  try {
    message = (await answer.json()).error.message;
  } catch {
    // It is no proxy of fairlead, or it ended while it answered.
  }
  throw answer.status === 401 ? new Closed(message) : new Refused(message);
}

export async function open(code) {
  session = await (await ask("/ui/session", code)).json();
  sessionStorage.setItem(KEY, JSON.stringify(session));
  return session;
}

export async function read(path, query = {}) {
  return (await ask(`/ui/api/${path}?${new URLSearchParams(query)}`, session.token)).json();
}

// Calls `tell(name, data)` with each event, until the stream ends.
export async function listen(query, signal, begun, tell) {
  const answer = await ask(`/ui/api/live?${new URLSearchParams(query)}`, session.token, signal);
  begun();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    // The proxy gives a sign of life every 10 seconds; after a sleep of the machine none may come, and no end either.
    const timer = setTimeout(() => reader.cancel(), SILENT_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = /^event: (.*)$/m.exec(part);
      const data = /^data: (.*)$/m.exec(part);
      if (name && data) tell(name[1], JSON.parse(data[1]));
    }
  }
}
