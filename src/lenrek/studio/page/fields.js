// Receptive fields from their formula: feature p of an axis sees size inputs from start + stride·p on.

const KNOWN = new Set(["regular", "whole", "part", "none"]);

/** Why the field of these features is not known here; "" where it is. */
export function unknown(fields) {
  const missing = fields.find((field) => !KNOWN.has(field.kind));
  return missing ? missing.reason || missing.kind : "";
}

/** First and last input that the feature at `position` sees, per axis; null where it sees none. */
export function box(fields, position, inputSize) {
  return fields.map((field, axis) => {
    const n = inputSize[axis];
    if (field.kind === "none") return null;
    if (field.kind === "whole") return [0, n - 1];
    const start = field.start + (field.kind === "regular" ? field.stride * (position[axis] ?? 0) : 0);
    const first = Math.max(0, Math.ceil(start)), last = Math.min(n - 1, Math.floor(start + field.size - 1));
    return first <= last ? [first, last] : null;
  });
}

/** First and last feature that see the input at `pixel`, per axis; null where none does. */
export function reached(fields, pixel, mapSize) {
  return fields.map((field, axis) => {
    const n = mapSize[axis] ?? 1;
    if (field.kind === "none") return null;
    if (field.kind === "whole") return [0, n - 1];
    if (field.kind === "part") {
      return field.start <= pixel[axis] && pixel[axis] <= field.start + field.size - 1 ? [0, n - 1] : null;
    }
    const ends = [(pixel[axis] - field.size + 1 - field.start) / field.stride, (pixel[axis] - field.start) / field.stride];
    const first = Math.max(0, Math.ceil(Math.min(...ends))), last = Math.min(n - 1, Math.floor(Math.max(...ends)));
    return first <= last ? [first, last] : null;
  });
}
