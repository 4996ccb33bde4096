// Places on a sample or a map, of which the last two axes are seen as rows and columns; a signal is a single row.

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/** Rows and columns that are seen. */
export const plane = (size) => (size.length === 1 ? [1, size[0]] : size.slice(-2));

export const middle = (size) => size.map((n) => n >> 1);

/** What lies under the pointer on an element that shows `size`; of a volume, the slice of that number. */
export function placeUnder(element, event, size, slice) {
  const area = element.getBoundingClientRect();
  const share = [(event.clientY - area.top) / area.height, (event.clientX - area.left) / area.width];
  const seen = plane(size).map((n, axis) => Math.min(n - 1, Math.max(0, Math.floor(share[axis] * n))));
  return [...(size.length === 3 ? [slice] : []), ...(size.length === 1 ? seen.slice(1) : seen)];
}

/** The place that an arrow key leads to, at most the last one; null for another key. */
export function stepped(place, key, size) {
  const step = ARROWS[key];
  if (!step) return null;
  const by = size.length > 1 ? [...size.slice(2).map(() => 0), ...step] : step.slice(2 - size.length);
  return place.map((one, axis) => Math.min(size[axis] - 1, Math.max(0, one + by[axis])));
}

/** Where what reaches from the first to the last of each axis lies, as shares of what is seen. */
export function shares(spans, size) {
  const [vertical, horizontal] = size.length === 1 ? [[0, 0], spans[0]] : spans.slice(-2);
  const [rows, columns] = plane(size);
  return {
    left: horizontal[0] / columns, width: (horizontal[1] - horizontal[0] + 1) / columns,
    top: vertical[0] / rows, height: (vertical[1] - vertical[0] + 1) / rows,
  };
}
