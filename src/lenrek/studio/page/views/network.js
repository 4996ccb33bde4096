// The network's layers, what they cost and see, their filters, and their maps of one sample.

import { apiOf, lastOnly } from "../api.js";
import { compact, fill, h, later, short, tell } from "../element.js";
import { fieldPicture } from "../field_picture.js";
import { box, reached, unknown } from "../fields.js";
import { mapGrid } from "../map_grid.js";
import { contactSheet, readVolume } from "../paint.js";
import { picker, takesDrops } from "../picker.js";
import { saveButtons } from "../save.js";

const HINT = "Point at a map to see what its cell sees, or at the sample to see which cells see it.";
const times = (numbers) => numbers.join("×");

export async function mount(element, api, state) {
  fill(element, h("p", { class: "soft" }, "Reading the network …"));
  const network = await api.json("layers");
  const { totals } = network, rows = network.rows.filter((row) => row.depth > 0);
  const samples = apiOf("samples");
  const asked = lastOnly(), drawn = lastOnly();
  let recorded = null, layer = null, pinned = null, kept = null, keptOf = "";

  const readout = h("p", { class: "readout", "aria-live": "off", "data-hint": HINT });
  const picture = fieldPicture((position) => pointAtInput(position));
  const grid = mapGrid({ point: (cell) => pointAtCell(cell ?? pinned), pin });
  const said = h("p", { class: "error small", role: "alert", hidden: true });
  const name = h("p", { class: "small soft" });
  const choice = picker({ choose, current: () => state.get("sample"), images: network.contract.size.length === 2 });
  const list = h("ol", { class: "layers", "aria-label": "Layers" }, rows.map(entry));
  const title = h("h2", {}), facts = h("p", { class: "small soft" }), seen = h("p", { class: "small soft" });
  const filters = h("details", { class: "filters" }, h("summary", {}, "Filters"), h("div", {}));
  const scale = choiceOf("Scale", "scale", [["common", "one scale"], ["own", "each its own"]]);
  const order = choiceOf("Order", "order", [["strength", "strongest first"], ["index", "by number"]]);
  const bar = h("div", { class: "row spread" }, h("div", { class: "row" }, scale, order),
    saveButtons(() => contactSheet(grid.tiles()), () => `maps-${state.get("layer") ?? "output"}`),
    h("a", { class: "small", target: "_blank", rel: "noopener" }, "sheet as SVG"));
  const left = h("div", { class: "network-sample" }, h("div", { class: "network-seen" }, picture.element, name, readout), choice.element, said);
  takesDrops(left, choice.take);
  const head = h("p", { class: "small soft" },
    `${network.type} for ${times(network.inputs[0].slice(1))}: `,
    h("span", { class: "key parameters" }), `${compact(totals.parameters + totals.frozen)} parameters, `,
    h("span", { class: "key macs" }), `${compact(totals.macs)} multiply-accumulates`,
    network.trained ? "." : h("b", {}, ". Not trained: its weights are random."));
  const boxes = h("details", { class: "volumes", open: state.get("boxes") === "1" }, h("summary", {}, "Volumes as boxes in a row"), h("div", {}));
  boxes.addEventListener("toggle", showBoxes);
  fill(element, boxes, h("div", { class: "network" }, left,
    h("div", { class: "network-layers" }, head, list),
    h("div", { class: "network-maps" }, title, facts, seen, bar, grid.element, filters)));

  filters.addEventListener("toggle", showFilters);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...list.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, at + step))].focus();
  });
  window.addEventListener("themechange", () => {
    showBoxes();
    picture.repaint();
    grid.repaint();
  });

  function showBoxes() {
    state.set({ boxes: boxes.open ? "1" : null });
    if (!boxes.open) return;
    const theme = getComputedStyle(document.documentElement).colorScheme;
    const source = api.url("picture.svg", { theme });
    fill(boxes.lastChild, h("img", { src: source, alt: `The volumes of ${network.type} as boxes in a row` }),
      h("a", { href: source, download: `${network.type}.svg`, class: "small" }, "Save as SVG"));
  }

  function entry(row) {
    const shape = row.outputs[0]?.slice(1) ?? [];
    const share = (part, whole) => (whole ? part / whole : 0);
    const bar = (part, kind) => h("span", { class: `share ${kind}`, style: { width: `${100 * part}%` } });
    const parameters = row.parameters + row.frozen;
    const own = row.innermost;
    return h("li", { style: { paddingLeft: `${0.8 * (row.depth - 1)}rem` } },
      h("button", { type: "button", "data-layer": row.name, class: own ? "layer" : "layer group", onclick: () => select(row.name, true) },
        h("span", { class: "layer-name" }, h("b", {}, row.label), " ", h("span", { class: "soft" }, `${row.type} ${row.options}`)),
        h("span", { class: "layer-shape" }, shape.length ? times(shape) : ""),
        h("span", { class: "layer-cost soft" },
          parameters ? `${compact(parameters)} par.` : "", parameters && row.macs ? " · " : "", row.macs ? `${compact(row.macs)} MACs` : ""),
        own && row.macs + parameters ? h("span", { class: "shares", "aria-hidden": "true" },
          bar(share(parameters, totals.parameters + totals.frozen), "parameters"), bar(share(row.macs, totals.macs), "macs")) : null));
  }

  function choiceOf(label, key, options) {
    return h("span", { class: "row", role: "group", "aria-label": label }, options.map(([value, text], place) =>
      h("button", { type: "button", class: "choice", "data-value": value,
        "aria-pressed": state.get(key, options[0][0]) === value,
        onclick: (event) => {
          state.set({ [key]: place ? value : null });
          for (const one of event.target.parentElement.children) one.setAttribute("aria-pressed", one === event.target);
          if (layer) showMaps();
        } }, text)));
  }

  async function choose(id) {
    state.set({ sample: id });
    choice.mark();
    await showSample();
  }

  /** What a drawing needs is asked for; what goes wrong is said. */
  async function guarded(action) {
    said.hidden = true;
    try {
      await action();
    } catch (error) {
      said.hidden = false;
      said.textContent = error.message;
    }
  }

  function showSample() {
    const sample = state.get("sample");
    if (!sample) return undefined;
    return guarded(() => asked.run(async (signal) => {
      const [about, values] = await Promise.all([
        samples.json("one", { query: { sample }, signal }), samples.bytes("values", { query: { sample }, signal })]);
      picture.show(await readVolume(values));
      fill(name, about.name, about.label === null ? "" : [" · ", h("b", {}, about.label)]);
      recorded = (await api.json("recorded", { query: { sample }, signal })).layers;
      for (const button of list.querySelectorAll("button")) button.classList.toggle("blind", !(button.dataset.layer in recorded));
      const first = rows.find((row) => row.innermost && row.name in recorded);
      await select(state.get("layer") ?? first?.name ?? rows[0].name, false);
    }));
  }

  async function select(wanted, push) {
    if (wanted !== state.get("layer")) {
      state.set({ layer: wanted, cell: null }, { push });
    }
    layer = rows.find((row) => row.name === wanted) ?? rows[0];
    for (const button of list.querySelectorAll("button")) {
      const here = button.dataset.layer === layer.name;
      button.setAttribute("aria-current", here);
      if (here && push === false) button.scrollIntoView({ block: "nearest" });
    }
    const shape = layer.outputs[0]?.slice(1) ?? [];
    title.textContent = layer.name;
    facts.textContent = [`${layer.type} ${layer.options}`.trim(), shape.length ? `output ${times(shape)}` : "",
      layer.dense_weights ? `as a dense layer it would have ${compact(layer.dense_weights)} weights` : ""].filter(Boolean).join(" · ");
    seen.textContent = sees(layer);
    bar.lastChild.href = api.url("maps.svg", { sample: state.get("sample"), layer: layer.name, scale: state.get("scale", "common") });
    filters.hidden = !layer.filters;
    showFilters();
    await showMaps();
  }

  function sees(row) {
    if (!row.fields.length) return "";
    const reason = unknown(row.fields);
    if (reason) return `What a feature sees is not known here: ${reason}.`;
    const sizes = row.fields.map((field, axis) => (field.kind === "whole" ? network.contract.size[axis] : field.size ?? 0));
    const strides = row.fields.map((field) => field.stride);
    const moving = strides.every((one) => one !== undefined);
    return row.fields.every((field) => field.kind === "whole") ? "Every feature sees the whole input."
      : `A feature sees ${times(sizes.map(short))} of the input${moving ? `; neighbours lie ${times(strides.map(short))} apart` : ""}.`;
  }

  function showMaps() {
    const sample = state.get("sample"), wanted = layer.name;
    pinned = null;
    picture.box(null);
    grid.mark(null);
    readout.textContent = "";
    if (!sample || !recorded) return undefined;
    if (!(wanted in recorded)) {
      grid.clear();
      readout.textContent = "This step has no maps of its own: choose a layer beside it.";
      return undefined;
    }
    return guarded(() => drawn.run(async (signal) => {
      const volume = keptOf === `${sample} ${wanted}` ? kept : await readVolume(await api.bytes("maps", { query: { sample, layer: wanted }, signal }));
      [keptOf, kept] = [`${sample} ${wanted}`, volume];
      const found = grid.show(volume, { scale: state.get("scale", "common"), order: state.get("order", "strength") });
      grid.grid.setAttribute("aria-label", `Maps of ${wanted}: arrow keys move over a map, page keys to the next one, Enter keeps the cell`);
      const silent = [...found.most].filter((one) => one === 0).length;
      scale.hidden = bar.querySelector(".save").hidden = !grid.size().length; // of single numbers there are no maps
      readout.dataset.hint = scale.hidden ? "" : HINT;
      legend(volume, found, silent);
      restoreCell();
      tell(`${wanted}: ${volume.shape[0]} maps`);
    }));
  }

  function legend(volume, found, silent) {
    const most = Math.max(...found.most);
    const colours = volume.shape.length < 3 ? "" : found.signed ? "White is zero, red positive, blue negative" : "Black is zero";
    const full = state.get("scale", "common") === "own" ? "each map on a scale of its own" : `full colour is ${found.signed ? "±" : ""}${short(most)}`;
    seen.textContent = [sees(layer), colours && `${colours}; ${full}.`, silent ? `${silent} of ${volume.shape[0]} maps are zero everywhere.` : ""]
      .filter(Boolean).join(" ");
  }

  function restoreCell() {
    const cell = state.get("cell")?.split(",").map(Number);
    if (!cell || cell.length !== grid.size().length + 1 || cell.some(Number.isNaN)) return;
    const [channel, ...position] = cell;
    if (channel >= kept.shape[0] || position.some((one, axis) => one < 0 || one >= grid.size()[axis])) return;
    pinned = { channel, position };
    pointAtCell(pinned);
  }

  function pin(cell) {
    const same = pinned && String([pinned.channel, pinned.position]) === String([cell.channel, cell.position]);
    pinned = same ? null : cell;
    state.set({ cell: pinned ? [cell.channel, ...cell.position].join(",") : null });
    pointAtCell(pinned ?? cell);
  }

  const speak = later((sentence) => tell(sentence), 400);

  function pointAtCell(cell) {
    if (!cell || !layer || !kept) {
      picture.box(null);
      grid.mark(null);
      readout.textContent = "";
      return;
    }
    const { channel, position } = cell;
    grid.mark(position.map((one) => [one, one]));
    const spans = unknown(layer.fields) ? null : box(layer.fields, position, picture.size());
    picture.box(spans);
    const where = position.length ? ` at ${position.join(", ")}` : "";
    const what = spans && spans.every(Boolean) ? ` sees ${spans.map(([a, b]) => `${a}–${b}`).join(" × ")}` : "";
    readout.textContent = `Map ${channel}${where}: ${short(grid.value(channel, position))}${what && ","}${what}`;
    speak(readout.textContent);
  }

  function pointAtInput(position) {
    if (!position || !layer || !kept) return pointAtCell(pinned);
    if (unknown(layer.fields)) return undefined;
    const spans = reached(layer.fields, position, grid.size());
    grid.mark(spans);
    picture.box(null);
    const where = spans.every(Boolean) ? spans.slice(0, grid.size().length).map(([a, b]) => `${a}–${b}`).join(" × ") : "";
    readout.textContent = `Input ${position.join(", ")} ${where ? `is seen by cells ${where}` : spans.every(Boolean) ? "is seen by every feature" : "is seen by no feature"}`;
    return speak(readout.textContent);
  }

  function showFilters() {
    const place = filters.lastChild;
    if (!filters.open || filters.hidden) return place.replaceChildren();
    const source = api.url("filters.svg", { layer: layer.name, scale: state.get("scale", "common") });
    if (place.firstChild?.getAttribute("src") === source) return undefined;
    return fill(place, h("img", { src: source, class: "sheet", alt: `Filters of ${layer.name}` }),
      h("a", { href: source, download: `filters-${layer.name}.svg`, class: "small" }, "Save as SVG"));
  }

  if (boxes.open) showBoxes();
  if (state.get("sample")) showSample();
  return {
    restore() {
      choice.mark();
      showSample();
    },
    leave: () => asked.stop(),
  };
}
