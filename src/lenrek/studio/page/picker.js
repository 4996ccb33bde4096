// Choosing a sample: from the data, or an image of one's own, by a button, by dropping or by pasting it.

import { apiOf } from "./api.js";
import { fill, h, tell } from "./element.js";

const SHOWN = 12;
const api = apiOf("samples");
let limits = null, latest = null; // the sample that was chosen last, in whichever view

/**
 * A bar of samples. `choose(id)` is called with the one that is chosen; `current()` is the id that is shown now.
 * Returns {element, mark()}: `mark` shows which one is chosen.
 */
export function picker({ choose, current, images = true }) {
  let first = 0, label = null, count = 0;
  const strip = h("div", { class: "strip", role: "group", "aria-label": "Samples of the data" });
  const said = h("p", { class: "error small", role: "alert", hidden: true });
  const classes = h("select", { "aria-label": "Class", hidden: true, onchange: () => {
    label = classes.value || null;
    first = 0;
    list();
  } });
  const before = h("button", { type: "button", "aria-label": "Earlier samples", onclick: () => page(-SHOWN) }, "‹");
  const after = h("button", { type: "button", "aria-label": "Later samples", onclick: () => page(SHOWN) }, "›");
  const file = h("input", { type: "file", accept: "image/*", class: "unseen", tabindex: -1, "aria-hidden": "true",
    onchange: () => take(file.files[0]) });
  const open = h("button", { type: "button", onclick: () => file.click() }, "Own image …");
  const bar = h("div", { class: "row" }, before, after, classes, images ? open : null, file);
  const element = h("div", { class: "picker" }, strip, bar, said);

  function page(step) {
    first = Math.min(Math.max(0, first + step), Math.max(0, count - 1));
    list();
  }

  function complain(error) {
    said.hidden = !error;
    said.textContent = error?.message ?? "";
  }

  async function list() {
    try {
      const found = await api.json("list", { query: { first, count: SHOWN, label } });
      count = found.count;
      before.disabled = first === 0;
      after.disabled = first + SHOWN >= count;
      if (classes.hidden) {
        fill(classes, h("option", { value: "" }, "all classes"), found.classes.map((name) => h("option", { value: name }, name)));
        classes.hidden = false;
      }
      fill(strip, found.samples.map(thumb));
      mark();
      if (!current() && found.samples.length) chosen(latest ?? found.samples[0].id);
    } catch (error) {
      before.hidden = after.hidden = true;
      fill(strip, h("p", { class: "soft small" }, error.message));
    }
  }

  function thumb({ id, name, label: its }) {
    return h("button", { type: "button", class: "thumb", "data-id": id, title: `${name}: ${its}`,
      "aria-label": `${name}, ${its}`, onclick: () => chosen(id) },
      h("img", { src: api.url("picture", { sample: id, side: 96 }), alt: "", loading: "lazy", width: 48, height: 48 }));
  }

  function chosen(id) {
    latest = id;
    choose(id);
  }

  function mark() {
    for (const one of strip.querySelectorAll("[data-id]")) {
      one.setAttribute("aria-pressed", one.dataset.id === current());
    }
  }

  async function take(given) {
    complain(null);
    if (!given) return;
    try {
      limits ??= await api.json("limits");
      if (given.size > limits.bytes) {
        throw new Error(`${given.name} has ${given.size.toLocaleString("en")} bytes, but at most ${limits.bytes.toLocaleString("en")} are taken.`);
      }
      const name = encodeURIComponent(given.name);
      const sample = await api.post("upload", given, { headers: { "X-Name": name } });
      tell(`${sample.name} is shown`);
      chosen(sample.id);
      mark();
    } catch (error) {
      complain(error);
    } finally {
      file.value = "";
    }
  }

  list();
  return { element, mark, take };
}

/** Let `element` take images that are dropped on it. */
export function takesDrops(element, take) {
  element.addEventListener("dragover", (event) => {
    event.preventDefault();
    element.classList.add("over");
  });
  element.addEventListener("dragleave", () => element.classList.remove("over"));
  element.addEventListener("drop", (event) => {
    event.preventDefault();
    element.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}
