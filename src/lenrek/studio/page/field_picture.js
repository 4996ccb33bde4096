// The sample, with a box over what a feature sees, and the place that is pointed at.

import { h } from "./element.js";
import { paintSample } from "./paint.js";
import { middle, placeUnder, shares, stepped } from "./places.js";

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
  picture.addEventListener("pointermove", (event) => move(placeUnder(canvas, event, size, Number(depth.value))));
  picture.addEventListener("pointerleave", () => move(null));
  canvas.addEventListener("keydown", (event) => {
    const next = stepped(at ?? middle(size), event.key, size);
    if (!next || !size.length) return;
    event.preventDefault();
    move(next);
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
    for (const [side, share] of Object.entries(shares(spans, size))) over.style[side] = `${100 * share}%`;
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
