// The table of requests: those that run, and those that have ended, the newest first.

import { find, make, say } from "./dom.js";
import * as format from "./format.js";

const MOST = 500;
const rows = new Map();
let grown = 0;

const served = (one) => (one.backend ? `${one.backend}${one.account ? `/${one.account}` : ""}` : format.NONE);
const cell = (kind, ...children) => make("td", { class: kind }, ...children);

// What went wrong, or else what was not as asked.
function remark(one) {
  if (one.error) return one.error_text || one.error;
  const moved = one.tries.find((attempt) => attempt.done);
  const parts = [];
  if (moved) parts.push(`moved from ${moved.backend}/${moved.account} (${moved.status || moved.error})`);
  if (one.losses.length) parts.push(`lost in translation: ${one.losses.map((loss) => loss.split("=")[0]).join(", ")}`);
  if (one.cache_lost) parts.push(`${format.tokens(one.cache_lost)} cached tokens lost`);
  return parts.join("; ");
}

function makeRow(one, open) {
  const name = one.model || `${one.method} ${one.path}`;
  const client = one.client || one.tag || format.NONE;
  const whole = format.input(one);
  const said = remark(one);
  const bad = one.error || one.status >= 400 || one.status < 200;
  const button = make("button", { type: "button", class: "open", "aria-label": `${format.clock(one.time)}, open this request` }, format.clock(one.time));
  const row = make("tr", { "data-id": one.id },
    cell(null, button), cell("w2", client),
    cell("model", name, said ? make("span", { class: one.error ? "said bad" : "said" }, said) : null,
      make("span", { class: "sub" }, `${client}  ${served(one)}`)),
    cell("w3", served(one)), cell("n w4", format.tokens(whole)),
    cell("n w4", whole && one.cache_read ? format.share(one.cache_read / whole) : format.NONE),
    cell("n w2", format.tokens(one.tokens_out)), cell("n w3", format.ms(one.first_byte_ms)), cell("n", format.ms(one.total_ms)),
    cell("n w2", format.money(one.cost_usd)),
    cell(bad ? "status bad" : "status good", one.status ? String(one.status) : "none"));
  row.addEventListener("click", () => {
    if (getSelection().isCollapsed) open(one.id, button);
  });
  return row;
}

export function replace(found, open) {
  rows.clear();
  grown = 0;
  find("ended").replaceChildren();
  append(found, open);
}

// Older ones, below.
export function append(found, open) {
  const fresh = found.filter((one) => !rows.has(one.id));
  for (const one of fresh) rows.set(one.id, makeRow(one, open));
  find("ended").append(...fresh.map((one) => rows.get(one.id)));
  grown = Math.max(grown, rows.size);
}

// New ones, on top; those at the end leave where there are too many, but not what was asked for by hand.
export function prepend(found, open) {
  const fresh = found.filter((one) => !rows.has(one.id)).slice(-MOST);
  for (const one of fresh) rows.set(one.id, makeRow(one, open));
  find("ended").prepend(...fresh.map((one) => rows.get(one.id)).reverse());
  const body = find("ended");
  while (rows.size > Math.max(MOST, grown)) {
    rows.delete(body.lastElementChild.dataset.id);
    body.lastElementChild.remove();
  }
}

export const size = () => rows.size;
export const shows = (id) => rows.has(id);

const running = new Map();

function makeRunning(one) {
  const cells = {
    time: cell(null), client: cell("w2"), model: make("span"), said: make("span", { class: "said" }),
    served: cell("w3"), out: cell("n w2"), total: cell("n"),
  };
  cells.row = make("tr", {}, cells.time, cells.client, cell("model", cells.model, cells.said), cells.served, cell("n w4", format.NONE),
    cell("n w4", format.NONE), cells.out, cell("n w3", format.NONE), cells.total, cell("n w2", format.NONE), cell("status warn", "runs"));
  return cells;
}

// Rows stay where they are, so that what is read does not jump.
export function showRunning(found) {
  const there = new Set(found.map((one) => one.id));
  for (const [id, cells] of running) {
    if (!there.has(id)) {
      cells.row.remove();
      running.delete(id);
    }
  }
  for (const one of found) {
    if (!running.has(one.id)) {
      running.set(one.id, makeRunning(one));
      find("running").prepend(running.get(one.id).row);
    }
    const cells = running.get(one.id);
    say(cells.time, format.clock(Date.now() / 1000 - one.age_s));
    say(cells.client, one.client || one.tag || format.NONE);
    say(cells.model, one.model || "(being read)");
    say(cells.served, served(one));
    say(cells.out, format.tokens(one.tokens));
    say(cells.total, format.seconds(one.age_s));
    const attempt = one.attempts > 1 ? `, attempt ${one.attempts}` : "";
    say(cells.said, one.waits ? `waits for ${one.waits}${attempt}` : `answering${attempt}`);
  }
}
