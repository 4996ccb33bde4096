// The controls of the playground: every change calls `change` with what is different.

import { fill, h } from "./element.js";
import { INPUTS, isPooling, KERNELS, LIMITS, preset, resized } from "./playground_settings.js";

const KINDS = [
  ["convolution", "Convolution"], ["transposed", "Transposed"], ["max", "Max"], ["average", "Average"], ["norm", "Norm"],
];
const OUTSIDE = ["zeros", "replicate", "reflect", "symmetric", "circular"];
const AXES = { 1: ["samples"], 2: ["rows", "columns"] };

/** An element with the controls, and `update` that sets them to other settings. */
export function controls(change) {
  const element = h("form", { class: "card playground-controls", "aria-label": "Operation", onsubmit: (event) => event.preventDefault() });
  let built = "";

  function update(settings) {
    // Built anew only where other controls are needed, so that none loses the focus.
    const needed = [settings.kind, settings.size.length, typeof settings.padding, settings.boundary === "" || Number.isNaN(Number(settings.boundary))].join();
    if (needed !== built) {
      const focus = document.activeElement?.name;
      build(settings);
      built = needed;
      if (focus) element.elements[focus]?.focus?.();
    }
    for (const field of element.querySelectorAll("[data-set]")) {
      const [name, axis] = field.dataset.set.split(".");
      const value = axis === undefined ? settings[name] : settings[name][axis];
      if (field.type === "checkbox") field.checked = value;
      else if (field.tagName === "OUTPUT") field.textContent = value;
      else if (document.activeElement !== field || field.type === "range") field.value = value;
    }
    for (const button of element.querySelectorAll("button[data-kind]")) {
      button.setAttribute("aria-pressed", button.dataset.kind === settings.kind);
    }
    element.settings = settings;
  }

  function build(settings) {
    const { kind, size, padding } = settings, pooling = isPooling(kind);
    const named = typeof padding === "string";
    const outside = settings.boundary !== "" && !Number.isNaN(Number(settings.boundary));
    fill(element,
      h("div", { class: "row kinds", role: "group", "aria-label": "Kind" }, KINDS.map(([value, title]) =>
        h("button", { type: "button", class: "choice", "data-kind": value, onclick: () => switchKind(value) }, title))),
      h("div", { class: "row" },
        choice("Input", "axes", [["1", "signal"], ["2", "image"]], String(size.length), (value) => switchAxes(Number(value))),
        choice("Show", "show", [["numbers", "numbers"], ["colours", "colours"], ["both", "both"]], settings.show, (value) => change({ show: value }))),
      pooling ? null : check("Flip the kernel: true convolution (key F)", "flip"),
      pooling ? check("One more window where samples remain (ceil mode)", "ceil") : null,
      h("table", { class: "sliders" },
        h("thead", {}, h("tr", {}, h("td", {}), AXES[size.length].map((axis) => h("th", { scope: "col" }, axis)))),
        h("tbody", {},
          sliders("Size", "size", 1, LIMITS.size, size.length),
          sliders(pooling ? "Window" : "Kernel", "kernel", 1, LIMITS.kernel, size.length),
          sliders("Stride", "stride", 1, LIMITS.stride, size.length),
          named ? null : sliders("Padding", "padding", 0, LIMITS.padding, size.length),
          sliders("Dilation", "dilation", 1, LIMITS.dilation, size.length),
          kind === "transposed" ? sliders("Extra end", "extra", 0, LIMITS.extra, size.length) : null)),
      h("div", { class: "row" },
        choice("Padding", "paddingName", [["", "by number"], ["valid", "valid"], ["same", "same"], ["full", "full"], ["causal", "causal"]],
          named ? padding : "", (value) => change({ padding: value === "" ? size.map(() => 0) : value })),
        choice("of", "outside", [
          ...(pooling && kind !== "norm" ? [["ignore", "nothing"]] : []), ...OUTSIDE.map((name) => [name, name]),
          ...(kind === "transposed" ? [] : [["number", "a number"]]),
        ], outside ? "number" : settings.boundary || (kind === "max" ? "ignore" : "zeros"),
        (value) => change({ boundary: value === "number" ? "1" : value })),
        outside ? h("input", { type: "number", step: "any", name: "outsideNumber", "aria-label": "The number around the input", class: "narrow-number",
          value: settings.boundary, oninput: (event) => event.target.value !== "" && change({ boundary: event.target.value }) }) : null),
      h("div", { class: "row" },
        choice("Numbers", "inputs", Object.keys(INPUTS).map((name) => [name, name]), "as it was",
          (value) => change({ x: preset(INPUTS[value], element.settings.size) })),
        pooling ? null : choice("Kernel", "kernels", Object.keys(KERNELS).map((name) => [name, name]), "as it was",
          (value) => change({ w: preset(KERNELS[value], element.settings.kernel) }))),
      h("button", { type: "button", class: "quiet", onclick: () => change(null) }, "Start again"));
  }

  function switchKind(kind) {
    const { kernel, kind: before } = element.settings;
    const changes = { kind, boundary: "", step: null };
    if (isPooling(kind) !== isPooling(before)) changes.stride = isPooling(kind) ? [...kernel] : kernel.map(() => 1);
    if (kind !== "transposed") changes.extra = kernel.map(() => 0);
    change(changes);
  }

  function switchAxes(axes) {
    const spread = (values) => (axes === 1 ? [values.at(-1)] : [values[0], values[0]]);
    const { kernel, stride, dilation, padding, extra } = element.settings;
    change({
      size: axes === 1 ? [12] : [5, 6], kernel: spread(kernel), stride: spread(stride), dilation: spread(dilation),
      padding: typeof padding === "string" ? padding : spread(padding), extra: spread(extra), x: null, w: null, step: null,
    });
  }

  function sliders(title, name, least, most, axes) {
    return h("tr", {}, h("th", { scope: "row" }, title), Array.from({ length: axes }, (_, axis) =>
      h("td", {}, h("input", {
        type: "range", min: least, max: most, step: 1, name: `${name}${axis}`, "data-set": `${name}.${axis}`,
        "aria-label": `${title}, ${AXES[axes][axis]}`,
        oninput: (event) => slide(name, axis, Number(event.target.value)),
      }), h("output", { "data-set": `${name}.${axis}` }))));
  }

  function slide(name, axis, value) {
    const { settings } = element;
    const values = settings[name].map((old, place) => (place === axis ? value : old));
    const changes = { [name]: values };
    // Numbers that were edited stay where they are.
    if (name === "size" && settings.x) changes.x = resized(settings.x, settings.size, values);
    if (name === "kernel" && settings.w) changes.w = resized(settings.w, settings.kernel, values);
    if (name === "kernel" && isPooling(settings.kind)) changes.stride = values;
    change(changes);
  }

  function check(title, name) {
    return h("label", { class: "small" }, h("input", { type: "checkbox", name, "data-set": name,
      onchange: (event) => change({ [name]: event.target.checked }) }), title);
  }

  function choice(title, name, options, value, act) {
    return h("label", { class: "small" }, title, h("select", { name, value, onchange: (event) => act(event.target.value) },
      options.map(([key, text]) => h("option", { value: key, selected: key === value }, text))));
  }

  return { element, update };
}
