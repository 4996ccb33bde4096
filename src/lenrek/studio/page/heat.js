// A heat-map laid over its sample: red for the class, blue against it, clear where nothing is said.

import { ABOVE, BELOW } from "./paint.js";
import { plane } from "./places.js";

const STRONGEST = 0.8, FULL_FROM = 0.99; // as in lenrek.explain.evidence.painted

/** Paint values (*size): an image, the slice of that number of a volume, or stripes behind a signal. */
export function paintHeat(canvas, { shape, values }, signed, slice = 0) {
  const most = fullColour(values);
  const [rows, columns] = plane(shape);
  const start = shape.length === 3 ? slice * rows * columns : 0;
  canvas.width = columns;
  canvas.height = rows;
  const pen = canvas.getContext("2d"), pixels = pen.createImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const share = Math.max(signed ? -1 : 0, Math.min(1, values[start + i] / (most || 1)));
    const [red, green, blue] = share < 0 ? BELOW : ABOVE;
    pixels.data.set([red, green, blue, 255 * STRONGEST * Math.abs(share)], 4 * i);
  }
  pen.putImageData(pixels, 0, 0);
}

/** The magnitude from which on colour is full: a few extreme ones would leave the rest without any. */
export function fullColour(values) {
  const sorted = Float32Array.from(values, Math.abs).sort();
  const place = FULL_FROM * (sorted.length - 1), low = Math.floor(place);
  const found = sorted[low] + (place - low) * ((sorted[low + 1] ?? sorted[low]) - sorted[low]);
  return found || sorted.at(-1);
}
