// Opens the page, keeps it up to date, and says when it cannot.

import { find, say } from "./dom.js";
import * as detail from "./detail.js";
import * as format from "./format.js";
import * as list from "./list.js";
import * as panels from "./panels.js";
import * as session from "./session.js";
import * as usage from "./usage.js";

const HIDDEN_MS = 5000;
const USAGE_MS = 15000;
const WAITS_MS = [500, 1000, 2000, 5000];

let stop = null;
let older = "";
let filter = "";
let paused = false;
let held = [];
let failures = 0;
let timer = 0;
// Requests have ended since the usage was read.
let stale = false;

function showLink(text, kind) {
  say(find("link"), text);
  find("link").className = kind;
  document.body.classList.toggle("stale", kind === "bad");
}

// The access has ended. What was shown stays, so that it can still be read.
function close(message) {
  disconnect();
  session.forget();
  say(find("closed-why"), message);
  find("closed").hidden = false;
  showLink("closed", "bad");
}

const open = (id, button) => detail.open(id, button, close);

function showCounter() {
  const waiting = paused && held.length ? `, ${held.length} more have ended since` : "";
  say(find("counter"), `${format.count(list.size(), "request")} shown${older ? ", older ones below" : ""}${waiting}`);
  find("none").hidden = list.size() > 0;
  say(find("none"), filter ? "No request fits the filter." : "No request has ended yet.");
  find("older").hidden = !older;
}

async function loadList(more = false) {
  const query = { filter };
  if (more) query.before = older;
  try {
    const found = await session.read("requests", query);
    if (query.filter !== filter) return;
    older = found.next;
    if (more) list.append(found.requests, open);
    else list.replace(found.requests, open);
    say(find("filter-error"), "");
    showCounter();
  } catch (error) {
    if (error instanceof session.Closed) close(error.message);
    else if (error instanceof session.Refused) say(find("filter-error"), error.message);
    else throw error;
  }
}

function tell(name, data) {
  if (name === "state") panels.showState(data.state);
  else if (name === "running") list.showRunning(data.running);
  else if (name === "ended") tellEnded(data);
}

function tellEnded({ ended, more }) {
  stale = true;
  if (more) {
    loadList().catch(() => {});
    return;
  }
  if (paused) held = [...held, ...ended].slice(-500);
  else list.prepend(ended, open);
  showCounter();
}

function disconnect() {
  clearTimeout(timer);
  if (stop) stop.abort();
  stop = null;
}

// Watches until told to stop; begins anew whenever the stream ends.
async function connect() {
  disconnect();
  const mine = (stop = new AbortController());
  try {
    await session.listen({ filter }, mine.signal, () => {
      showLink(failures ? "connected again" : "", "good");
      failures = 0;
      find("closed").hidden = true;
      loadList().catch(() => {});
      usage.load(close);
    }, tell);
    throw new TypeError("the stream ended");
  } catch (error) {
    if (mine !== stop) return;
    if (error instanceof session.Closed) {
      close(error.message);
    } else if (error instanceof session.Refused && failures === 0 && filter) {
      say(find("filter-error"), error.message);
      list.showRunning([]);
    } else {
      list.showRunning([]);
      showLink("The proxy does not answer; trying again. What is shown may be old.", "bad");
      timer = setTimeout(connect, WAITS_MS[Math.min(failures, WAITS_MS.length - 1)]);
      failures += 1;
    }
  }
}

function begin(found) {
  find("main").hidden = false;
  find("sections").hidden = false;
  find("closed").hidden = true;
  failures = 0;
  panels.showSession(found);
  connect();
}

async function start() {
  const code = session.takeCode();
  if (code) {
    try {
      begin(await session.open(code));
    } catch (error) {
      close(error instanceof TypeError ? "The proxy does not answer." : error.message);
    }
    return;
  }
  const found = session.restore();
  if (found) begin(found);
  else find("closed").hidden = false;
}

function setPaused(value) {
  paused = value;
  find("pause").setAttribute("aria-pressed", String(value));
  if (!value) {
    list.prepend(held, open);
    held = [];
  }
  showCounter();
}

find("filter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  filter = find("filter").value.trim();
  held = [];
  say(find("filter-error"), "");
  connect();
});
find("filter").addEventListener("search", () => {
  if (!find("filter").value && filter) find("filter-form").requestSubmit();
});
find("pause").addEventListener("click", () => setPaused(!paused));
find("older").addEventListener("click", () => loadList(true).catch(() => showLink("The proxy does not answer.", "bad")));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || find("detail").open || find("main").hidden) return;
  if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
  if (event.key === "/") {
    event.preventDefault();
    find("filter").focus();
  } else if (event.key === "p") setPaused(!paused);
});
// A browser has six connections to one origin: a tab that nobody sees keeps none.
document.addEventListener("visibilitychange", () => {
  if (find("main").hidden || !find("closed").hidden) return;
  clearTimeout(timer);
  if (document.hidden) timer = setTimeout(disconnect, HIDDEN_MS);
  else if (!stop || stop.signal.aborted || failures) connect();
});
addEventListener("hashchange", () => {
  if (session.isCode()) start();
});
setInterval(() => {
  if (document.hidden || !stop || failures || !stale) return;
  stale = false;
  usage.load(close);
}, USAGE_MS);

usage.watch(close);
start();
