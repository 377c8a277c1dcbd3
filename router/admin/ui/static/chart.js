// Two kinds of charts over time: stacked bars, and lines. Each step of the time has its values as a title.

import { draw, make } from "./dom.js";
import { clock, day } from "./format.js";

const LEFT = 56;
const BOTTOM = 20;
const TOP = 8;

// The least of 1, 2, 4, 6, 8, 10, … that is not below the value: the axis has round numbers, at its half too.
function round(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((top) => top >= value * 0.999);
}

// Whole hours or days of local time, at most so many.
function findMarks(span, most) {
  const hours = [1, 2, 3, 6, 12, 24, 48, 168, 336, 720].find((step) => (span.until - span.since) / 3600 / step <= most) || 1440;
  const at = new Date(span.since * 1000);
  at.setHours(0, 0, 0, 0);
  const found = [];
  for (; at.getTime() / 1000 < span.until; at.setHours(at.getHours() + hours)) {
    if (at.getTime() / 1000 >= span.since) found.push(at.getTime() / 1000);
  }
  return found;
}

function makeFrame(figure, span, height, top, format) {
  const width = Math.max(figure.clientWidth || 600, 220);
  const inner = { width: width - LEFT - 8, height: height - TOP - BOTTOM };
  const x = (time) => LEFT + ((time - span.since) / (span.until - span.since)) * inner.width;
  const y = (value) => TOP + inner.height * (1 - value / top);
  const parts = [];
  for (const part of [0, 0.5, 1]) {
    const at = y(top * part);
    parts.push(draw("line", { class: "grid", x1: LEFT, x2: width - 8, y1: at, y2: at }));
    // Half of one request is none.
    if (part === 0.5 && [0, top].some((value) => format(value) === format(top * part))) continue;
    parts.push(draw("text", { x: LEFT - 6, y: at + 4, "text-anchor": "end" }, format(top * part)));
  }
  for (const time of findMarks(span, Math.floor(inner.width / 60))) {
    const text = span.until - span.since > 172800 ? day(time).slice(5) : clock(time).slice(0, 5);
    parts.push(draw("text", { x: x(time), y: height - 5, "text-anchor": "middle" }, text));
  }
  return { x, y, width, height, parts };
}

function show(figure, title, frame, legend) {
  const svg = draw(
    "svg",
    { viewBox: `0 0 ${frame.width} ${frame.height}`, width: frame.width, height: frame.height, role: "img", "aria-label": title },
    ...frame.parts,
  );
  const keys = legend.map(([kind, name]) =>
    make("li", {}, draw("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, draw("rect", { class: `f${kind}`, width: 10, height: 10 })), name));
  figure.replaceChildren(make("figcaption", {}, title), svg, make("ul", { class: "legend" }, ...keys));
}

export function label(start, days) {
  return days ? day(start) : `${day(start)} ${clock(start).slice(0, 5)}`;
}

// steps: { start, values } with a value for each of the names, which are stacked in this order.
export function drawBars(figure, { title, span, steps, names, kinds, format, height = 220 }) {
  const sums = steps.map((step) => step.values.reduce((sum, value) => sum + value, 0));
  const frame = makeFrame(figure, span, height, round(Math.max(0, ...sums)), format);
  const wide = Math.max(frame.x(span.since + span.step) - frame.x(span.since) - 1, 1);
  steps.forEach((step, place) => {
    let base = 0;
    const said = names.map((name, index) => `${name} ${format(step.values[index])}`).filter((_, index) => step.values[index]);
    const group = draw("g", {}, draw("title", {}, [`${label(step.start, span.days)}: ${format(sums[place])}`, ...said].join("\n")));
    step.values.forEach((value, index) => {
      if (!value) return;
      const y = frame.y(base + value);
      group.append(draw("rect", { class: `f${kinds[index]}`, x: Math.max(frame.x(step.start), LEFT), y, width: wide, height: Math.max(frame.y(base) - y, 0.5) }));
      base += value;
    });
    frame.parts.push(group);
  });
  show(figure, title, frame, names.map((name, index) => [kinds[index], name]));
}

// series: { name, kind, values }, a value or null for each of the steps.
export function drawLines(figure, { title, span, steps, series, format, most = 0, height = 140 }) {
  const known = series.flatMap((one) => one.values).filter((value) => value !== null);
  const frame = makeFrame(figure, span, height, most || round(Math.max(0, ...known)), format);
  for (const { name, kind, values } of series) {
    let path = "";
    let last = null;
    steps.forEach((step, place) => {
      const value = values[place];
      if (value === null) return;
      const at = [frame.x(Math.min(Math.max(step.start + span.step / 2, span.since), span.until)), frame.y(value)];
      const joined = last !== null && step.start - last < span.step * 1.5;
      path += `${joined ? "L" : "M"}${at[0].toFixed(1)} ${at[1].toFixed(1)}`;
      last = step.start;
      frame.parts.push(draw("circle", { class: `f${kind}`, cx: at[0], cy: at[1], r: 2.5 },
        draw("title", {}, `${label(step.start, span.days)}: ${name} ${format(value)}`)));
    });
    frame.parts.push(draw("path", { class: `s${kind}`, d: path }));
  }
  show(figure, title, frame, series.map((one) => [one.kind, one.name]));
}
