// What the playground computes, as its link says it and as the server is asked.

const KINDS = ["convolution", "transposed", "max", "average", "norm"];
const NAMED = ["valid", "same", "full", "causal"];
export const LIMITS = { size: 16, kernel: 7, stride: 7, dilation: 7, padding: 6, extra: 6 };

const numbers = (text) => (text ?? "").split(",").filter((part) => part !== "").map(Number);
const whole = (text, most, least, fallback, axes) => {
  const found = numbers(text).map((n) => Math.min(most, Math.max(least, Math.round(n) || 0)));
  return Array.from({ length: axes }, (_, axis) => found[axis] ?? found[0] ?? fallback[axis] ?? fallback[0]);
};

/** The settings that a link names; what it does not name is as at first. */
export function readSettings(state) {
  const size = numbers(state.get("size", "5,6")).slice(0, 2).map((n) => Math.min(LIMITS.size, Math.max(1, Math.round(n) || 1)));
  const axes = size.length || 2;
  const padding = state.get("padding", "0");
  const values = (name, length) => {
    const found = numbers(state.get(name)).filter(Number.isFinite);
    return found.length === length ? found : null;
  };
  const kernel = whole(state.get("kernel"), LIMITS.kernel, 1, [3], axes);
  const product = (sizes) => sizes.reduce((all, n) => all * n, 1);
  return {
    kind: KINDS.includes(state.get("kind")) ? state.get("kind") : KINDS[0],
    flip: state.get("flip") === "1",
    size: size.length ? size : [5, 6],
    kernel,
    stride: whole(state.get("stride"), LIMITS.stride, 1, isPooling(state.get("kind")) ? kernel : [1], axes),
    dilation: whole(state.get("dilation"), LIMITS.dilation, 1, [1], axes),
    padding: NAMED.includes(padding) ? padding : whole(padding, LIMITS.padding, 0, [0], axes),
    extra: whole(state.get("extra"), LIMITS.extra, 0, [0], axes),
    boundary: state.get("boundary", ""),
    ceil: state.get("ceil") === "1",
    show: ["numbers", "colours", "both"].includes(state.get("show")) ? state.get("show") : "numbers",
    step: state.get("step") === null ? null : Math.max(0, Math.round(state.number("step", 0))),
    x: values("x", product(size.length ? size : [5, 6])),
    w: values("w", product(kernel)),
  };
}

/** What is named in the link: only what is not as at first. */
export function toLink(settings) {
  const unlike = (values, first) => (values.every((n) => n === first) ? null : values.join(","));
  const { kind, size, kernel, stride, dilation, padding, extra, boundary, show, step, x, w } = settings;
  return {
    kind: kind === KINDS[0] ? null : kind,
    flip: settings.flip ? 1 : null,
    size: size.join(",") === "5,6" ? null : size.join(","),
    kernel: unlike(kernel, 3),
    stride: isPooling(kind) ? stride.join(",") : unlike(stride, 1),
    dilation: unlike(dilation, 1),
    padding: typeof padding === "string" ? padding : unlike(padding, 0),
    extra: unlike(extra, 0),
    boundary,
    ceil: settings.ceil ? 1 : null,
    show: show === "numbers" ? null : show,
    step,
    x: x?.join(",") ?? null,
    w: w?.join(",") ?? null,
  };
}

/** The body of a request. */
export function toRequest(settings) {
  const { kind, size, kernel, stride, dilation, padding, show, step } = settings;
  const usual = kind === "max" ? "ignore" : "zeros";
  const operation = { convolution: "correlate", transposed: "correlate_transposed" }[kind] ?? kind;
  const asked = {
    operation: settings.flip ? operation.replace("correlate", "convolve") : operation,
    size, kernel_size: kernel, stride, dilation, padding, show, step,
    samples: settings.x, weights: isPooling(kind) ? null : settings.w,
    boundary: settings.boundary === "" ? usual : Number.isNaN(Number(settings.boundary)) ? settings.boundary : Number(settings.boundary),
  };
  if (kind === "transposed") asked.output_padding = settings.extra;
  if (isPooling(kind)) asked.ceil_mode = settings.ceil;
  return asked;
}

export function isPooling(kind) {
  return ["max", "average", "norm"].includes(kind);
}

/** The numbers of one shape in another: what lies in both is kept, the rest is 0. */
export function resized(values, from, to) {
  const grid = (sizes) => (sizes.length === 1 ? [1, sizes[0]] : sizes);
  const [, width] = grid(from), [rows, columns] = grid(to);
  return Array.from({ length: rows * columns }, (_, place) => {
    const row = Math.floor(place / columns), column = place % columns;
    return row < grid(from)[0] && column < width ? values[row * width + column] : 0;
  });
}

/** Kernels and inputs that show something; each gives the number at a place. */
export const KERNELS = {
  "as it was": null,
  identity: (row, column, [rows, columns]) => (row === (rows - 1) >> 1 && column === (columns - 1) >> 1 ? 1 : 0),
  mean: (row, column, [rows, columns]) => Number((1 / (rows * columns)).toPrecision(3)),
  "edges across": (row, column, [, columns]) => Math.sign(column - (columns - 1) / 2),
  "edges down": (row, column, [rows]) => Math.sign(row - (rows - 1) / 2),
  "Laplace": (row, column, [rows, columns]) => (row === (rows - 1) >> 1 && column === (columns - 1) >> 1 ? rows * columns - 1 : -1),
  "one corner": (row, column) => (row === 0 && column === 0 ? 1 : 0),
};
export const INPUTS = {
  "as it was": null,
  "single one": (row, column, [rows, columns]) => (row === rows >> 1 && column === columns >> 1 ? 1 : 0),
  "step": (row, column, [, columns]) => (column >= columns / 2 ? 9 : 0),
  "ramp": (row, column) => column,
  "square": (row, column, [rows, columns]) =>
    (rows === 1 || (row >= rows / 4 && row < (3 * rows) / 4)) && column >= columns / 4 && column < (3 * columns) / 4 ? 9 : 0,
  "checkerboard": (row, column) => (row + column) % 2,
};

/** The numbers of a preset; null brings back those of the start. */
export function preset(rule, sizes) {
  if (!rule) return null;
  const [rows, columns] = sizes.length === 1 ? [1, sizes[0]] : sizes;
  return Array.from({ length: rows * columns }, (_, place) => rule(Math.floor(place / columns), place % columns, [rows, columns]));
}
