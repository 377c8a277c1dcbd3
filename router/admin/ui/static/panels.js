// The top line, and the sections about accounts, budgets, problems and tools.

import { bar, find, make, say } from "./dom.js";
import * as format from "./format.js";

const HEALTH = { ok: ["serving", "good"], halted: ["halted", "bad"], stalled: ["stalled", "bad"], "nothing can serve": ["no backend can serve", "bad"] };

function showFacts(state) {
  const [word, kind] = HEALTH[state.health] || [state.health, "warn"];
  const shares = state.guard.budgets.map((one) => (one.limit ? (one.spent + one.reserved) / one.limit : 0));
  const budget = shares.length ? ` (budget ${format.share(Math.max(...shares))})` : "";
  const cost = state.today.cost_usd || !state.today.unpriced ? format.money(state.today.cost_usd) : "unpriced";
  const facts = [
    ["", `● ${word}`, kind], ["", state.url.replace(/^https?:\/\//, "")], ["up", format.seconds(state.uptime_s)],
    ["last 15 min", `${state.rate.requests_per_min.toFixed(1)}/min`],
    ["today", `${cost}, ${format.count(state.today.requests, "request")}`], ["guard", `${state.guard.state}${budget}`],
  ];
  const problems = listProblems(state).length;
  if (problems) facts.push(["", format.count(problems, "problem"), "warn"]);
  const parts = facts.map(([name, text, sort]) =>
    make("div", {}, make("dt", {}, name), make("dd", { class: sort || null }, text)));
  find("facts").replaceChildren(...parts);
  say(find("version"), state.version);
  document.title = `${state.health === "ok" ? "" : `${word} - `}fairlead`;
}

function showHalts(guard) {
  find("halt").hidden = !guard.halts.length;
  find("halt").replaceChildren(...guard.halts.map((halt) => make("p", {},
    `Halted (${halt.scope}) since ${format.clock(halt.since)}: ${halt.reason}. Ends at ${format.moment(halt.until)}, or by `,
    make("code", {}, "fairlead resume"), halt.request ? `. Tripped by ${halt.request}.` : ".")));
}

function limit(one, forecast) {
  const resets = one.resets_s ? `, begins anew in ${format.seconds(one.resets_s)}` : "";
  const full = forecast && forecast.full_in_s !== null ? `, full in about ${format.seconds(forecast.full_in_s)}` : "";
  return make("div", {}, bar(one.used), ` ${one.name} ${format.share(one.used)} in use${resets}${full}`);
}

function showAccounts(state) {
  const table = make("table", {}, make("thead", {}, make("tr", {},
    ...["account", "state", "limits", "running"].map((name) => make("th", { scope: "col", class: name === "running" ? "n w2" : null }, name)))));
  const body = make("tbody");
  for (const backend of state.backends) {
    const queue = backend.queue.waiting ? `${format.count(backend.queue.waiting, "request")} waiting` : "";
    for (const one of backend.accounts.length ? backend.accounts : [null]) {
      const name = one && one.alias ? `${backend.name}/${one.alias}` : backend.name;
      const word = backend.problem && !one ? "cannot serve" : one ? one.state : "ready";
      const reason = [one && one.state !== "ready" ? one.reason : "", backend.problem || "", one && one.until_s ? `for ${format.seconds(one.until_s)}` : "", queue];
      const said = [...new Set(reason.filter((part) => part && part !== word))].join("; ");
      const forecasts = state.limits.filter((forecast) => forecast.account === name);
      const limits = one ? one.limits.map((found) => limit(found, forecasts.find((forecast) => !forecast.window || found.name.includes(forecast.window)))) : [];
      body.append(make("tr", {},
        make("td", {}, name, one && one.next ? make("span", { class: "said" }, "next") : null),
        make("td", {}, make("span", { class: word === "ready" ? "good" : "bad" }, word), said ? make("span", { class: "said" }, said) : null),
        make("td", {}, ...(limits.length ? limits : [format.NONE])),
        make("td", { class: "n w2" }, one ? String(one.running) : String(backend.queue.running))));
    }
  }
  table.append(body);
  find("account-list").replaceChildren(state.backends.length ? table : make("p", {}, "No backend is configured. Add one: ", make("code", {}, "fairlead backend add NAME")));
}

function showBudgets(guard) {
  const amount = (one, value) => (one.unit === "usd" ? format.money(value) : `${format.tokens(value)} tokens`);
  find("budgets").hidden = !guard.budgets.length;
  find("budget-list").replaceChildren(...guard.budgets.map((one) => {
    const used = one.limit ? (one.spent + one.reserved) / one.limit : 0;
    const renews = one.renews === null || one.renews === undefined ? "" : `, renews ${format.moment(one.renews)}`;
    const name = `${one.scope === "all" ? "" : `${one.scope}, `}${one.period}`;
    return make("p", {}, bar(used), ` ${name}: ${amount(one, one.spent)} of ${amount(one, one.limit)} (${format.share(used)})${renews}`);
  }));
}

function listProblems(state) {
  const found = [...state.problems];
  for (const backend of state.backends) if (backend.problem) found.push(`${backend.name}: ${backend.problem}`);
  if (state.history) found.push(`The history cannot be written: ${state.history}`);
  if (state.capture) found.push("Bodies of requests are captured (history.capture). Switch it off: fairlead config set history.capture off");
  for (const one of state.guard.not_counted) found.push(`${one.model} (${one.backend}) has no price, so that its cost counts in no budget.`);
  return found;
}

function showProblems(state) {
  const items = listProblems(state).map((text) => make("li", { class: "lines" }, text));
  const refused = Object.entries(state.refused).map(([reason, times]) => `${times.toLocaleString("en")} ${reason}`);
  if (refused.length) items.push(make("li", { class: "dim" }, `Refused at the door since the start: ${refused.join(", ")}.`));
  find("problem-list").replaceChildren(...(items.length ? items : [make("li", { class: "dim" }, "None is known.")]));
}

let before = "";

export function showState(state) {
  showFacts(state);
  // The rest is built anew only where it has changed.
  const parts = JSON.stringify([state.backends, state.guard, state.problems, state.history, state.capture, state.refused, state.limits]);
  if (parts === before) return;
  before = parts;
  showHalts(state.guard);
  showAccounts(state);
  showBudgets(state.guard);
  showProblems(state);
  say(find("url-messages"), state.url);
  say(find("url-chat"), `${state.url}/v1`);
}

export function showSession(session) {
  say(find("fields"), session.fields.join(", "));
  const command = (text) => make("td", {}, text ? make("code", {}, text) : format.NONE);
  find("recipes").replaceChildren(...session.recipes.map((one) =>
    make("tr", {}, make("th", { scope: "row" }, one.title), command(one.run), command(one.setup))));
}
