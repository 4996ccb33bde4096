// Elements, made piece by piece. Text given as a child is text: no name or message ever becomes markup.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "g", "rect", "path", "line", "circle", "text", "title", "desc", "image", "polyline"]);

/** An element. Attributes: `on…` functions listen, `class`, `data-…`, `aria-…` as in HTML, null and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const made = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || (value === false && !name.startsWith("aria-"))) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name === "style") Object.assign(made.style, value);
    else if (name === "value" || name === "checked" || name === "disabled" || name === "selected") made[name] = value;
    else made.setAttribute(name, value === true && !name.startsWith("aria-") ? "" : String(value));
  }
  made.append(...there(children));
  return made;
}

const there = (children) => children.flat(9).filter((child) => child !== null && child !== undefined && child !== false);

/** Put these in the place of everything that `element` holds. */
export function fill(element, ...children) {
  element.replaceChildren(...there(children));
  return element;
}

/** A drawing of the server: markup that lenrek wrote, parsed as SVG, without anything that could run. */
export function drawing(markup) {
  const parsed = new DOMParser().parseFromString(markup, "image/svg+xml").documentElement;
  if (parsed.nodeName !== "svg") throw new Error("the drawing could not be read");
  parsed.querySelectorAll("script, foreignObject").forEach((one) => one.remove());
  return document.importNode(parsed, true);
}

/** Say it to those who hear the page. */
export function tell(sentence) {
  document.getElementById("told").textContent = sentence;
}

/** 61,706 as 61.7 k: three digits and a unit. */
export function compact(number) {
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (Math.abs(number) >= size) return `${(number / size).toPrecision(3)} ${unit}`;
  }
  return String(number);
}

/** A number short enough to read while pointing at it. */
export function short(number) {
  if (!Number.isFinite(number)) return String(number);
  return Number(number.toPrecision(4)).toString().replace("-", "−");
}

/** Wait for pauses in a stream of events. */
export function later(action, wait_ms) {
  let timer = 0;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), wait_ms);
  };
}
