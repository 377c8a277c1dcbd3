// Numbers with units, as the commands print them.

export const NONE = "–";

export function tokens(count) {
  if (count === null || count === undefined) return NONE;
  if (count < 10000) return Math.round(count).toLocaleString("en");
  for (const [size, unit] of [[1e3, "k"], [1e6, "M"], [1e9, "G"]]) {
    if (count < 999.5 * size || unit === "G") return `${(count / size).toFixed(count >= 10 * size ? 0 : 1)}${unit}`;
  }
  return NONE;
}

export function money(dollars) {
  if (dollars === null || dollars === undefined) return NONE;
  if (dollars === 0) return "$0.00";
  return dollars < 0.01 ? `$${dollars.toPrecision(2)}` : `$${dollars.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

export function seconds(value) {
  if (value === null || value === undefined) return NONE;
  if (value < 0.0995) return `${Math.round(value * 1000)} ms`;
  if (value < 10) return `${value.toFixed(1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} days`;
}

export const ms = (value) => (value === null || value === undefined ? NONE : seconds(value / 1000));

export function share(part) {
  if (part === null || part === undefined) return NONE;
  if (part > 0 && part < 0.01) return "under 1 %";
  if (part >= 0.995 && part < 1) return "over 99 %";
  return `${Math.round(part * 100)} %`;
}

export const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

const pad = (number) => String(number).padStart(2, "0");

export function clock(time) {
  const at = new Date(time * 1000);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
}

export function day(time) {
  const at = new Date(time * 1000);
  return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
}

export const moment = (time) => `${day(time)} ${clock(time)}`;

// All input of a request: what was read, and what a cache gave or kept.
export const input = (one) =>
  one.tokens_in === null ? null : one.tokens_in + (one.cache_read || 0) + (one.cache_write || 0);
