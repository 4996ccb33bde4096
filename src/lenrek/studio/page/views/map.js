// The latent space on a plane: zoom, point at a sample to see it, follow its neighbours with the keyboard.

import { apiOf } from "../api.js";
import { fill, h, short, tell } from "../element.js";
import { colourOf, Plane } from "../plane.js";
import { saveButtons } from "../save.js";

const SAMPLES = [500, 1000, 2000, 5000];
const OF = { store: "the store", data: "the data" };
const METHODS = { pca: "principal components", umap: "UMAP" };

export async function mount(element, api, state) {
  document.head.append(h("link", { rel: "stylesheet", href: "page/map.css" }));
  const about = await api.json("about");
  if (!about.of.length) {
    fill(element, h("p", {}, "A map needs a network with data, or a store: "), h("code", {}, "lenrek studio MODEL --data DATA --store STORE"));
    return {};
  }
  const samples = apiOf("samples"), image = apiOf("image");
  const of = () => (about.of.includes(state.get("of")) ? state.get("of") : about.of[0]);
  const method = () => (state.get("method") in METHODS ? state.get("method") : "pca");
  const count = () => state.number("samples", SAMPLES[0]);
  let found = null, asking = null;

  const pictureOf = (id) => (id.startsWith("row-")
    ? image.url("neighbour", { row: id.slice(4) }) : samples.url("picture", { sample: id, side: 96 }));
  const readout = h("p", { class: "readout", role: "status", "aria-live": "polite", "data-hint": "Point at a sample to see it." });
  const caption = h("p", { class: "small soft" });
  const said = h("p", { class: "error", role: "alert", hidden: true });
  const legend = h("ul", { class: "map-legend", "aria-label": "Labels" });
  const card = h("div", { class: "map-card", hidden: true }, h("img", { alt: "", width: 96, height: 96 }), h("span", {}));
  const plane = new Plane({ pictureOf, moved: keepView, pointed: show, chosen: choose });
  const choices = h("div", { class: "row" },
    choice("Of", "of", Object.fromEntries(about.of.map((one) => [one, OF[one]])), of),
    choice("by", "method", METHODS, method),
    choice("at most", "samples", Object.fromEntries(SAMPLES.map((n) => [n, `${n} samples`])), count));
  const zoom = h("div", { class: "row", role: "group", "aria-label": "Zoom" },
    h("button", { type: "button", "aria-label": "Zoom in", onclick: () => plane.zoom(1.5) }, "+"),
    h("button", { type: "button", "aria-label": "Zoom out", onclick: () => plane.zoom(1 / 1.5) }, "−"),
    h("button", { type: "button", onclick: () => plane.fit() }, "all"));
  const sheet = h("a", { class: "small", target: "_blank", rel: "noopener" }, "as SVG");
  fill(element,
    h("div", { class: "row spread" }, choices, h("div", { class: "row" }, zoom, saveButtons(() => plane.canvas, () => `map-${of()}-${method()}`), sheet)),
    said, h("div", { class: "map-frame" }, plane.canvas, card), readout, legend, caption,
    h("p", { class: "small soft" }, "Drag or Shift with the arrow keys to move, scroll or + and − to zoom, 0 for all. Arrow keys go from sample to sample, Enter opens one."));

  window.addEventListener("themechange", () => plane.paint());
  await load();
  return { restore };

  function choice(label, key, options, current) {
    const made = h("select", { "data-key": key, onchange: () => {
      state.set({ [key]: made.value, x: null, y: null, zoom: null, id: null }, { push: true });
      load();
    } }, Object.entries(options).map(([value, text]) => h("option", { value }, text)));
    made.value = String(current());
    return h("label", {}, label, made);
  }

  async function load() {
    const wanted = { of: of(), method: method(), samples: count() };
    const key = JSON.stringify(wanted);
    if (found?.key === key) return view();
    asking = key;
    said.hidden = true;
    readout.textContent = "Computing …";
    try {
      const answer = await api.json("points", { query: wanted });
      if (asking !== key) return undefined;
      found = { key, ...answer };
    } catch (error) {
      if (asking !== key) return undefined;
      said.hidden = false;
      said.textContent = error.message;
      readout.textContent = "";
      return undefined;
    }
    readout.textContent = "";
    caption.textContent = found.caption;
    sheet.href = api.url("map.svg", wanted);
    plane.canvas.setAttribute("aria-label",
      `${found.ids.length} samples on a plane, trustworthiness ${short(found.trustworthiness)}`);
    const numbers = found.labels.map((_, at) => found.label.reduce((sum, one) => sum + (one === at), 0));
    fill(legend, found.labels.map((label, at) => h("li", {}, h("button", {
      type: "button", class: "quiet", "data-label": label.name, onclick: () => only(at),
    }, h("i", { style: { background: colourOf(label) } }), `${label.name || "no label"} · ${numbers[at]}`))));
    tell(`${found.ids.length} samples`);
    return view();
  }

  /** The part of the plane, the sample and the label that the link names. */
  function view() {
    const only = found.labels.findIndex((label) => label.name === state.get("label"));
    plane.set(found, only);
    for (const one of legend.querySelectorAll("button")) one.setAttribute("aria-pressed", one.dataset.label === state.get("label"));
    const zoomed = state.number("zoom", null);
    if (zoomed === null) plane.fit(false);
    else plane.look(state.number("x", 0), state.number("y", 0), zoomed);
    const at = found.ids.indexOf(state.get("id"));
    plane.select(at);
    show(at);
  }

  function restore() {
    for (const one of choices.querySelectorAll("select")) one.value = String({ of, method, samples: count }[one.dataset.key]());
    return load();
  }

  function only(at) {
    const name = found.labels[at].name;
    state.set({ label: state.get("label") === name ? null : name });
    view();
  }

  function keepView({ x, y, zoom: scale }, whole) {
    state.set(whole ? { x: null, y: null, zoom: null } : { x: x.toPrecision(5), y: y.toPrecision(5), zoom: scale.toPrecision(4) });
    if (!card.hidden) place();
  }

  /** The picture and name of a sample; −1 for none. */
  function show(at) {
    card.hidden = at < 0;
    if (at < 0) {
      readout.textContent = "";
      return;
    }
    const label = found.labels[found.label[at]].name;
    const text = [found.names[at], label].filter(Boolean).join(" · ");
    readout.textContent = text;
    const address = pictureOf(found.ids[at]);
    if (card.firstChild.getAttribute("src") !== address) card.firstChild.src = address;
    card.lastChild.textContent = text;
    card.dataset.at = at;
    place();
  }

  function place() {
    const [x, y] = plane.onCanvas(Number(card.dataset.at)), box = plane.canvas.getBoundingClientRect();
    card.style.left = `${Math.min(Math.max(x + 12, 0), Math.max(0, box.width - 130))}px`;
    card.style.top = `${Math.min(Math.max(y + 12, 0), Math.max(0, box.height - 150))}px`;
  }

  function choose(at, open) {
    state.set({ id: at < 0 ? null : found.ids[at] });
    if (open && at >= 0 && found.ids[at].startsWith("data-")) location.hash = `#image?sample=${found.ids[at]}`;
  }
}
