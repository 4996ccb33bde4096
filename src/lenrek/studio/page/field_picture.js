// The sample, with a box over what a feature sees, and the place that is pointed at.

import { h } from "./element.js";
import { paintSample } from "./paint.js";

/**
 * `point(position)` is called with the input sample under the pointer, null when it leaves.
 * Returns {element, canvas, show(volume), box(ranges), position()}.
 */
export function fieldPicture(point) {
  const canvas = h("canvas", { role: "img", tabindex: 0, "aria-label": "The sample, as the network sees it" });
  const frame = h("div", { class: "field-box", hidden: true });
  const cross = h("div", { class: "field-cross", hidden: true });
  const depth = h("input", { type: "range", min: 0, value: 0, "aria-label": "Slice of the sample" });
  const slices = h("label", { class: "small soft", hidden: true }, "slice ", depth);
  const picture = h("div", { class: "field-picture" }, canvas, frame, cross);
  const element = h("div", {}, picture, slices);
  let volume = null, size = [], at = null, ranges = null;

  depth.addEventListener("input", () => {
    paintSample(canvas, volume, Number(depth.value));
    place();
  });
  picture.addEventListener("pointermove", (event) => {
    const area = canvas.getBoundingClientRect();
    const share = [(event.clientY - area.top) / area.height, (event.clientX - area.left) / area.width];
    const flat = size.slice(-2).map((n, axis) => {
      const along = size.length === 1 ? share[1] : share[axis];
      return Math.min(n - 1, Math.max(0, Math.floor(along * n)));
    });
    move(size.length === 3 ? [Number(depth.value), ...flat] : flat);
  });
  picture.addEventListener("pointerleave", () => move(null));
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!step || !size.length) return;
    event.preventDefault();
    const from = at ?? size.map((n) => n >> 1), last = size.length - 1;
    const next = [...from];
    next[last] += step[1];
    if (last > 0) next[last - 1] += step[0];
    move(next.map((place, axis) => Math.min(size[axis] - 1, Math.max(0, place))));
  });
  canvas.addEventListener("blur", () => move(null));

  function move(position) {
    at = position;
    cross.hidden = !at;
    if (at) put(cross, at.map((one) => [one, one]));
    point(at);
  }

  /** Lay an element over the picture, from the first to the last of each axis. */
  function put(over, spans) {
    const [vertical, horizontal] = size.length === 1 ? [[0, 0], spans[0]] : spans.slice(-2);
    const [rows, columns] = size.length === 1 ? [1, size[0]] : size.slice(-2);
    Object.assign(over.style, {
      left: `${(100 * horizontal[0]) / columns}%`, width: `${(100 * (horizontal[1] - horizontal[0] + 1)) / columns}%`,
      top: `${(100 * vertical[0]) / rows}%`, height: `${(100 * (vertical[1] - vertical[0] + 1)) / rows}%`,
    });
  }

  function place() {
    const inSlice = ranges && (size.length < 3 || (ranges[0] && ranges[0][0] <= depth.value && depth.value <= ranges[0][1]));
    frame.hidden = !ranges || ranges.some((one) => !one) || !inSlice;
    if (!frame.hidden) put(frame, ranges);
  }

  return {
    element,
    canvas,
    show(shown) {
      volume = shown;
      size = shown.shape.slice(1);
      slices.hidden = size.length !== 3;
      if (size.length === 3) {
        depth.max = size[0] - 1;
        depth.value = size[0] >> 1;
      }
      canvas.classList.toggle("pixelated", size.length > 1 && Math.max(...size.slice(-2)) < 160);
      picture.style.aspectRatio = size.length === 1 ? `4 / ${shown.shape[0] > 4 ? 4 : shown.shape[0]}` : `${size.at(-1)} / ${size.at(-2)}`;
      paintSample(canvas, shown, Number(depth.value));
      move(null);
    },
    repaint: () => volume && paintSample(canvas, volume, Number(depth.value)),
    box(spans) {
      ranges = spans;
      if (spans?.[0] && size.length === 3) {
        const middle = (spans[0][0] + spans[0][1]) >> 1;
        if (Number(depth.value) !== middle) {
          depth.value = middle;
          paintSample(canvas, volume, middle);
        }
      }
      place();
    },
    size: () => size,
  };
}
