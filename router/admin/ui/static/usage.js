// Cost and tokens over time, stacked; first byte, errors and the share of caches; and the sums by name.

import { drawBars, drawLines } from "./chart.js";
import { find, make, say } from "./dom.js";
import * as format from "./format.js";
import { Closed, read } from "./session.js";

const KINDS = 8;
const TITLES = { cost_usd: "Cost", tokens: "Tokens", requests: "Requests" };
const FORMATS = { cost_usd: format.money, tokens: format.tokens, requests: (value) => format.tokens(Math.round(value)) };
let found = null;
let number = 0;
// Until somebody chooses: what has amounts.
let chosen = false;

const asked = () => {
  const since = find("since").value;
  return { since, by: find("by").value, step: since === "24h" || since === "7d" ? "hour" : "day" };
};

export async function load(closed) {
  const query = asked();
  const mine = (number += 1);
  try {
    const answer = await read("usage", query);
    if (mine !== number) return;
    found = { ...answer, query };
    if (!chosen && answer.total.requests && !answer.total.cost_usd) find("measure").value = "tokens";
    say(find("usage-error"), "");
    show();
  } catch (error) {
    if (error instanceof Closed) closed(error.message);
    else if (!(error instanceof TypeError)) say(find("usage-error"), error.message);
  }
}

function showStacked(span) {
  const measure = find("measure").value;
  const sums = new Map();
  for (const step of found.steps) {
    for (const [name, amounts] of Object.entries(step.names)) sums.set(name, (sums.get(name) || 0) + amounts[measure]);
  }
  const names = [...sums].sort((a, b) => b[1] - a[1]).slice(0, KINDS).map(([name]) => name);
  let others = false;
  const steps = found.steps.map((step) => {
    const values = names.map((name) => (step.names[name] ? step.names[name][measure] : 0));
    const rest = step.total[measure] - values.reduce((sum, value) => sum + value, 0);
    others = others || rest > step.total[measure] * 1e-6;
    return { start: step.start, values: [...values, Math.max(rest, 0)] };
  });
  const shown = others ? [...names, `without ${found.query.by}, or others`] : names;
  if (!others) for (const step of steps) step.values.pop();
  const kinds = shown.map((_, index) => (others && index === shown.length - 1 ? KINDS : index));
  const title = `${TITLES[measure]} per ${span.days ? "day" : "hour"} by ${found.query.by}`;
  drawBars(find("stacked"), { title, span, steps, names: shown, kinds, format: FORMATS[measure] });
}

function show() {
  if (!found || !found.steps) return;
  const days = found.query.step === "day";
  const step = days ? 86400 : 3600;
  const first = found.steps.length ? found.steps[0].start : found.since;
  const span = { since: Math.min(Math.floor(found.since / 3600) * 3600, first), until: found.until, step, days };
  showStacked(span);
  const steps = found.steps;
  drawLines(find("first-byte"), { title: "First byte", span, steps, format: format.ms, series: [
    { name: "p50", kind: 0, values: steps.map((one) => one.first_byte_p50) },
    { name: "p95", kind: 1, values: steps.map((one) => one.first_byte_p95) }] });
  drawBars(find("errors"), { title: "Errors", span, height: 140, names: ["errors"], kinds: [6], format: FORMATS.requests,
    steps: steps.map((one) => ({ start: one.start, values: [one.total.errors] })) });
  drawLines(find("cached"), { title: "Share of input read from caches", span, steps, format: format.share, most: 1, series: [
    { name: "cached", kind: 2, values: steps.map((one) => (one.total.input ? one.total.cache_read / one.total.input : null)) }] });
  showSums();
}

function showSums() {
  say(find("usage-by"), found.query.by);
  const row = (one, name) => make("tr", {},
    make("td", {}, name), make("td", { class: "n" }, one.requests.toLocaleString("en")),
    make("td", { class: one.errors ? "n bad" : "n" }, one.errors.toLocaleString("en")),
    make("td", { class: "n w2" }, format.tokens(one.tokens_in + one.cache_read + one.cache_write)),
    make("td", { class: "n w2" }, one.cache_read ? format.share(one.cached_share) : format.NONE),
    make("td", { class: "n w2" }, format.tokens(one.tokens_out)),
    make("td", { class: "n w3" }, `${format.ms(one.first_byte_ms.p50)} / ${format.ms(one.first_byte_ms.p95)}`),
    make("td", { class: "n" }, one.cost_usd || !one.unpriced ? format.money(one.cost_usd) : "unpriced"));
  find("sums").replaceChildren(...found.names.slice(0, 50).map((one) => row(one, one.name)), row(found.total, "all"));
}

export function watch(closed) {
  for (const name of ["since", "by"]) find(name).addEventListener("change", () => load(closed));
  find("measure").addEventListener("change", () => {
    chosen = true;
    show();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (find("stacked").clientWidth !== width) {
      width = find("stacked").clientWidth;
      show();
    }
  }).observe(find("stacked"));
}
