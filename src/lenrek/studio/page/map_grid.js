// The maps of a layer side by side, with one cell marked in all of them: it stands at the same place in every channel.

import { fill, h, short } from "./element.js";
import { channelOf, measure, paintMap } from "./paint.js";
import { middle, placeUnder, shares, stepped } from "./places.js";

const FIRST = 64, FEW = 16;

/**
 * `point({channel, position})` is called with the cell under the pointer, null when it leaves; `pin` with one clicked.
 * Returns {element, show(volume, {scale, order}), mark(ranges), value(channel, position), tiles()}.
 */
export function mapGrid({ point, pin }) {
  const grid = h("div", { class: "maps", role: "group", tabindex: 0 });
  const depth = h("input", { type: "range", min: 0, value: 0, "aria-label": "Slice of the maps" });
  const slices = h("label", { class: "small soft", hidden: true }, "slice ", depth);
  const more = h("button", { type: "button", hidden: true, onclick: () => {
    limit = Infinity;
    draw();
  } });
  const element = h("div", {}, slices, grid, more);
  let volume = null, size = [], found = null, options = { scale: "common", order: "strength" }, limit = FIRST;
  let at = null; // the cell that keys move: {channel, position}

  const unpainted = new Set(); // a layer may have two thousand maps: those in view are painted
  const seen = new IntersectionObserver(
    (entries) => entries.filter((one) => one.isIntersecting).forEach((one) => paint(one.target)), { rootMargin: "200px" });

  depth.addEventListener("input", draw);
  grid.addEventListener("pointermove", (event) => {
    const canvas = event.target.closest("canvas");
    if (canvas) point((at = cellUnder(canvas, event)));
  });
  grid.addEventListener("pointerleave", () => point((at = null)));
  grid.addEventListener("click", (event) => {
    const canvas = event.target.closest("canvas");
    if (canvas) pin(cellUnder(canvas, event));
  });
  grid.addEventListener("keydown", (event) => {
    const turn = { PageDown: 1, PageUp: -1 }[event.key];
    const position = stepped(at?.position ?? middle(size), event.key, size);
    if (!volume || (!position && !turn && event.key !== "Enter")) return;
    event.preventDefault();
    const shown = channels();
    at ??= { channel: shown[0], position: middle(size) };
    if (event.key === "Enter") return pin(at);
    if (turn) {
      at = { ...at, channel: shown[Math.min(shown.length - 1, Math.max(0, shown.indexOf(at.channel) + turn))] };
    } else at = { ...at, position };
    if (size.length === 3 && Number(depth.value) !== at.position[0]) {
      depth.value = at.position[0];
      draw();
    }
    point(at);
  });

  function cellUnder(canvas, event) {
    return { channel: Number(canvas.dataset.channel), position: placeUnder(canvas, event, size, Number(depth.value)) };
  }

  function channels() {
    const every = options.order === "strength" ? found.order : [...found.order].sort((a, b) => a - b);
    return every.slice(0, limit);
  }

  function draw() {
    if (!volume) return;
    slices.hidden = size.length !== 3;
    if (size.length === 0) return drawNumbers();
    grid.className = `maps${size.length === 1 ? " curves" : volume.shape[0] <= FEW ? " few" : ""}`;
    const shown = channels();
    seen.disconnect();
    unpainted.clear();
    const old = new Map([...grid.querySelectorAll("canvas")].map((canvas) => [Number(canvas.dataset.channel), canvas]));
    fill(grid, shown.map((channel) => {
      const canvas = old.get(channel) ?? h("canvas", { "data-channel": channel });
      canvas.classList.toggle("pixelated", size.length > 1);
      if (size.length > 1) canvas.style.aspectRatio = `${size.at(-1)} / ${size.at(-2)}`;
      unpainted.add(canvas);
      seen.observe(canvas);
      return h("figure", { class: "map" }, h("div", { class: "map-picture" }, canvas), h("figcaption", {}, String(channel)));
    }));
    offerMore(shown);
  }

  function offerMore(shown) {
    const hidden = volume.shape[0] - shown.length;
    more.hidden = hidden <= 0;
    more.textContent = `Show the other ${hidden}`;
  }

  function paint(canvas) {
    if (!unpainted.delete(canvas)) return;
    const channel = Number(canvas.dataset.channel);
    const most = options.scale === "common" ? Math.max(...found.most) : found.most[channel];
    paintMap(canvas, channelOf(volume, channel), size, { most, signed: found.signed, slice: Number(depth.value) });
  }

  /** A layer of single numbers: bars. */
  function drawNumbers() {
    grid.className = "maps numbers";
    const most = Math.max(...found.most) || 1, values = volume.values;
    const shown = channels();
    fill(grid, shown.map((channel) => h("div", { class: "number", title: `${channel}: ${short(values[channel])}` },
      h("span", { class: "soft" }, String(channel)),
      h("span", { class: "bar-place" }, h("span", { class: values[channel] < 0 ? "bar below" : "bar",
        style: { width: `${(50 * Math.abs(values[channel])) / most}%` } })),
      h("span", {}, short(values[channel])))));
    offerMore(shown);
  }

  return {
    element,
    grid,
    show(shown, chosen) {
      if (shown !== volume) {
        limit = FIRST;
        at = null;
        grid.replaceChildren();
      }
      volume = shown;
      options = chosen;
      size = shown.shape.slice(1);
      found = measure(shown);
      if (size.length === 3) {
        depth.max = size[0] - 1;
        depth.value = Math.min(depth.value, depth.max);
        if (!at) depth.value = size[0] >> 1;
      }
      draw();
      return found;
    },
    repaint: draw,
    clear() {
      volume = null;
      more.hidden = slices.hidden = true;
      grid.replaceChildren();
    },
    /** Mark cells from the first to the last of each axis in every map; null marks none. */
    mark(ranges) {
      const none = !ranges || ranges.some((one) => !one) || !size.length;
      grid.classList.toggle("marked", !none);
      if (none) return;
      for (const [side, share] of Object.entries(shares(ranges, size))) grid.style.setProperty(`--${side}`, `${100 * share}%`);
    },
    value(channel, position) {
      const index = position.reduce((sum, one, axis) => sum * size[axis] + one, channel);
      return volume.values[index];
    },
    tiles: () => [...grid.querySelectorAll("canvas")].map((canvas) => {
      paint(canvas);
      return { canvas, caption: canvas.dataset.channel };
    }),
    size: () => size,
  };
}
