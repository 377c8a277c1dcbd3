// Builds elements. Texts of requests are only ever text: nothing here takes markup.

const SVG = "http://www.w3.org/2000/svg";

export const find = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);

export const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);

// Sets a text only where it changed: what is selected stays selected, and screen readers stay silent.
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// The used share as a bar; its text stands beside it.
export function bar(share) {
  const inner = make("i", { class: share >= 0.95 ? "full" : share >= 0.8 ? "high" : null });
  inner.style.width = `${Math.min(Math.max(share, 0), 1) * 100}%`;
  return make("span", { class: "bar", "aria-hidden": "true" }, inner);
}
