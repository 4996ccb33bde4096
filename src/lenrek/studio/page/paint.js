// Numbers as pixels: maps in the colours of lenrek.drawing.colours, samples as they are.

import { h } from "./element.js";

export const BELOW = [43, 108, 176], ABOVE = [184, 69, 42];
const STEPS = 255;
const GREY = Uint32Array.from({ length: STEPS + 1 }, (_, grey) => packed(grey, grey, grey));
const SIGNED = Uint32Array.from({ length: 2 * STEPS + 1 }, (_, place) => {
  const share = (place - STEPS) / STEPS, towards = share < 0 ? BELOW : ABOVE;
  return packed(...towards.map((end) => 255 + Math.abs(share) * (end - 255)));
});
const TYPES = { uint8: Uint8Array, int16: Int16Array, float32: Float32Array };

/** Numbers of the server: {shape, values}. */
export async function readVolume(answer) {
  const shape = answer.headers.get("X-Shape").split(",").filter(Boolean).map(Number);
  const values = new TYPES[answer.headers.get("X-Type")](await answer.arrayBuffer());
  return { shape, values };
}

/** Channel `index` of a volume (channels, *size). */
export function channelOf({ shape, values }, index) {
  const length = shape.slice(1).reduce((product, n) => product * n, 1);
  return values.subarray(index * length, (index + 1) * length);
}

/** For each channel its largest magnitude and root mean square; whether any value is negative. */
export function measure(volume) {
  const channels = volume.shape[0];
  const most = new Float64Array(channels), rms = new Float64Array(channels);
  let signed = false;
  for (let c = 0; c < channels; c++) {
    const values = channelOf(volume, c);
    let low = 0, high = 0, squares = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (value < low) low = value;
      if (value > high) high = value;
      squares += value * value;
    }
    most[c] = Math.max(high, -low);
    rms[c] = Math.sqrt(squares / values.length);
    signed ||= low < 0;
  }
  const order = [...rms.keys()].sort((a, b) => rms[b] - rms[a] || a - b);
  return { most, rms, signed, order };
}

/** Values on one axis as a curve, on two as an image, on three as the slice of that number. */
export function paintMap(canvas, values, size, { most, signed, slice = 0 }) {
  if (size.length === 1) return paintCurves(canvas, [values], signed ? -most : 0, most);
  const [rows, columns] = size.slice(-2);
  const start = size.length === 3 ? slice * rows * columns : 0;
  const pixels = sized(canvas, columns, rows);
  const data = new Uint32Array(pixels.data.buffer), colours = signed ? SIGNED : GREY;
  const zero = signed ? STEPS : 0, scale = STEPS / (most || 1), highest = colours.length - 1;
  for (let i = 0; i < rows * columns; i++) {
    const place = Math.round(values[start + i] * scale) + zero;
    data[i] = colours[place < 0 ? 0 : place > highest ? highest : place];
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

/** A sample as the network sees it, before normalisation: images grey or in colours, signals as curves. */
export function paintSample(canvas, { shape, values }, slice = 0) {
  const [channels, ...size] = shape;
  let [low, high] = extremes(values);
  if (values instanceof Uint8Array) [low, high] = [0, high > 1 ? 255 : 1]; // voxels and masks hold 0 and 1
  if (size.length === 1) {
    const curves = Array.from({ length: Math.min(channels, 4) }, (_, c) => channelOf({ shape, values }, c));
    return paintCurves(canvas, curves, Math.min(low, 0), high);
  }
  const [rows, columns] = size.slice(-2), area = rows * columns;
  const step = size.length === 3 ? size[0] * area : area, start = size.length === 3 ? slice * area : 0;
  const pixels = sized(canvas, columns, rows), data = new Uint32Array(pixels.data.buffer);
  const scale = 255 / (high - low || 1), colour = channels === 3;
  for (let i = 0; i < area; i++) {
    const red = (values[start + i] - low) * scale;
    data[i] = colour
      ? packed(red, (values[start + i + step] - low) * scale, (values[start + i + 2 * step] - low) * scale)
      : packed(red, red, red);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

function paintCurves(canvas, curves, low, high) {
  const width = 480, height = 120 * curves.length;
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
  curves.forEach((curve, number) => {
    const y = (value) => 120 * (number + 1) - 4 - (112 * (value - low)) / (high - low || 1);
    pen.strokeStyle = style.getPropertyValue("--hair");
    pen.strokeRect(-1, y(0), width + 2, 0);
    pen.strokeStyle = style.getPropertyValue("--right");
    pen.lineWidth = 1.5;
    pen.beginPath();
    const each = Math.max(1, curve.length / width);
    for (let x = 0; x < Math.min(width, curve.length); x++) {
      const from = Math.floor(x * each), to = Math.max(from + 1, Math.floor((x + 1) * each));
      let least = Infinity, largest = -Infinity;
      for (let i = from; i < to; i++) {
        least = Math.min(least, curve[i]);
        largest = Math.max(largest, curve[i]);
      }
      const at = ((from + (to - from) / 2) / curve.length) * width;
      pen.lineTo(at, y(least));
      if (largest !== least) pen.lineTo(at, y(largest));
    }
    pen.stroke();
  });
}

/** One canvas of many, with their captions: for a file. */
export function contactSheet(tiles, { columns = 8, side = 96 } = {}) {
  const line = 16, gap = 8, rows = Math.ceil(tiles.length / columns);
  const sheet = h("canvas", { width: columns * (side + gap) + gap, height: rows * (side + line + gap) + gap });
  const pen = sheet.getContext("2d"), style = getComputedStyle(document.body);
  pen.fillStyle = style.backgroundColor;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.imageSmoothingEnabled = false;
  pen.font = "12px system-ui, sans-serif";
  tiles.forEach(({ canvas, caption }, place) => {
    const x = gap + (place % columns) * (side + gap), y = gap + Math.floor(place / columns) * (side + line + gap);
    const scale = side / Math.max(canvas.width, canvas.height);
    pen.drawImage(canvas, x, y, canvas.width * scale, canvas.height * scale);
    pen.fillStyle = style.color;
    pen.fillText(caption, x, y + side + 12);
  });
  return sheet;
}

function extremes(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function sized(canvas, width, height) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return canvas.getContext("2d").createImageData(width, height);
}

function packed(red, green, blue) {
  return ((255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;
}
