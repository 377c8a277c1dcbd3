// One request: its attempts over time, and what `fairlead why` says of it.

import { draw, find, make, say } from "./dom.js";
import * as format from "./format.js";
import { Closed, read } from "./session.js";

let shown = "";
let from = null;

// A bar for the wait, and one for each attempt; a mark where the first byte came.
function drawWaterfall(one) {
  const whole = Math.max(one.total_ms, 1);
  const place = (ms) => `${(Math.min(Math.max(ms / whole, 0), 1) * 100).toFixed(2)}%`;
  const line = (name, begin, end, kind, text, mark) => [
    make("span", {}, name),
    draw("svg", { "aria-hidden": "true", preserveAspectRatio: "none" },
      draw("rect", { class: kind, x: place(begin), y: 2, height: 10, width: place(Math.max(end - begin, whole / 300)) }),
      mark === null ? null : draw("rect", { class: "f4", x: place(mark), y: 0, height: 14, width: 2 })),
    make("span", { class: "dim" }, text),
  ];
  const parts = [];
  const first = one.tries.length ? one.tries[0].at_ms : one.total_ms;
  if (one.queue_ms >= 1) parts.push(...line("queued", 0, Math.min(one.queue_ms, first), "f8", format.ms(one.queue_ms), null));
  one.tries.forEach((attempt, place) => {
    const last = place === one.tries.length - 1;
    const end = last ? one.total_ms : one.tries[place + 1].at_ms;
    const good = last && !attempt.error && attempt.status < 400;
    const text = [attempt.status || "no answer", format.ms(end - attempt.at_ms), attempt.done].filter(Boolean).join("  ");
    parts.push(...line(`${attempt.backend}/${attempt.account}`, attempt.at_ms, end, good ? "f2" : "f6", text, good ? one.first_byte_ms : null));
  });
  if (parts.length && one.first_byte_ms !== null) {
    parts.push(make("span", {}), make("span", { class: "dim" }, `0 to ${format.ms(one.total_ms)}, first byte after ${format.ms(one.first_byte_ms)}`), make("span", {}));
  }
  find("waterfall").replaceChildren(...parts);
}

export async function open(id, button, closed) {
  shown = id;
  from = button;
  say(find("detail-title"), id);
  say(find("detail-error"), "");
  say(find("copied"), "");
  find("waterfall").replaceChildren();
  find("why").replaceChildren();
  say(find("why-line"), "");
  if (!find("detail").open) find("detail").showModal();
  try {
    const found = await read(`requests/${encodeURIComponent(id)}`);
    if (shown !== id) return;
    drawWaterfall(found.request);
    const [line, ...facts] = found.why;
    say(find("why-line"), line.text.replace(`${id}   `, ""));
    find("why").append(...facts.flatMap((fact) => [make("dt", {}, fact.label), make("dd", {}, fact.text)]));
  } catch (error) {
    if (error instanceof Closed) closed(error.message);
    say(find("detail-error"), error instanceof TypeError ? "The proxy does not answer." : error.message);
  }
}

find("detail").addEventListener("close", () => {
  shown = "";
  if (from) from.focus();
});
find("detail").addEventListener("click", (event) => {
  if (event.target === find("detail")) find("detail").close();
});
find("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(shown);
    say(find("copied"), "Copied.");
  } catch {
    say(find("copied"), "The browser does not allow it; select the text.");
  }
});
