// One sample: what the network says of it, what speaks for that, and what the store holds that is like it.

import { apiOf, lastOnly } from "../api.js";
import { fill, h, short, tell } from "../element.js";
import { paintHeat } from "../heat.js";
import { paintSample, readVolume } from "../paint.js";
import { picker, takesDrops } from "../picker.js";
import { saveButtons } from "../save.js";

const MOST_BARS = 10;
const VIEWS = [1, 4, 8, 16];
const NONE = "none";
const percent = (share) => `${(100 * share).toFixed(share > 0.0995 ? 1 : 2)} %`;

export async function mount(element, api, state) {
  const about = await api.json("about");
  const samples = apiOf("samples");
  const asked = lastOnly(), heated = lastOnly(), followed = lastOnly();
  let volume = null, said = null, heat = null, signed = false;

  const canvas = h("canvas", { role: "img", "aria-label": "The sample, as the network sees it" });
  const over = h("canvas", { class: "heat", "aria-hidden": "true" });
  const slice = h("input", { type: "range", min: 0, value: 0, "aria-label": "Slice", oninput: paint });
  const slices = h("label", { class: "small soft", hidden: true }, "slice ", slice);
  const frame = h("div", { class: "image-picture" }, canvas, over);
  const name = h("p", { class: "small" });
  const under = h("p", { class: "small soft heat-note" });
  const error = h("p", { class: "error small", role: "alert", hidden: true });
  const choice = picker({ choose, current: () => state.get("sample"), images: about.axes === 2 });

  const method = h("select", { "aria-label": "Heat-map", onchange: () => {
    state.set({ method: method.value });
    showHeat();
  } }, h("option", { value: NONE }, "no heat-map"), about.methods.map((one) => h("option", { value: one }, one)));
  const strength = h("input", { type: "range", min: 0, max: 100, value: 100, "aria-label": "Strength of the heat-map",
    oninput: () => { over.style.opacity = strength.value / 100; } });
  const check = h("button", { type: "button", class: "quiet", onclick: showFaithfulness }, "How faithful is it?");
  const faithful = h("div", { class: "small", "aria-live": "polite" });
  const views = h("select", { "aria-label": "Test-time augmentation", onchange: () => {
    state.set({ views: views.value === "1" ? null : views.value });
    showPrediction();
  } }, VIEWS.map((count) => h("option", { value: String(count) }, count === 1 ? "the sample as it is" : `the mean over ${count} views`)));
  const policy = h("input", { type: "text", size: 14, placeholder: "light", "aria-label": "What views are made of",
    value: state.get("policy", ""), onchange: () => {
      state.set({ policy: policy.value.trim() });
      showPrediction();
    } });
  const knows = about.trained_with && about.trained_with !== "none";
  const policyLabel = h("label", { class: "small" }, "made by ", policy);
  const refused = h("p", { class: "error small", role: "alert", hidden: true });
  const headline = h("p", { class: "headline", "aria-live": "polite" });
  const bars = h("div", { class: "bars" }), made = h("p", { class: "small soft" });
  const near = h("div", { class: "neighbours" });

  const left = h("div", { class: "image-left" }, frame, slices, name,
    h("div", { class: "row" }, h("label", { class: "small" }, "heat-map ", method), h("label", { class: "small" }, "strength ", strength), saveButtons(together, () => `image-${method.value}`)),
    under, h("div", {}, check, faithful), h("div", {}, choice.element, error));
  fill(element, h("div", { class: "image" }, left,
    h("div", { class: "image-right" }, h("h2", { class: "unseen" }, "Prediction"), headline,
      h("div", { class: "row" }, h("label", { class: "small" }, "of ", views), policyLabel), refused, made, bars,
      h("p", { class: "small soft" }, about.trained ? "Choose a bar to see what speaks for that class."
        : "The weights are random: what is said here means nothing yet."),
      about.store ? h("section", {}, h("h2", {}, "Nearest in the store"), near) : null)));
  takesDrops(element, choice.take);
  element.addEventListener("paste", (event) => choice.take(event.clipboardData.files[0]));
  window.addEventListener("themechange", paint);

  function fromLink() {
    method.value = about.methods.includes(state.get("method")) ? state.get("method") : state.get("method") === NONE ? NONE : about.methods[0];
    views.value = VIEWS.includes(state.number("views", 1)) ? state.get("views", "1") : "1";
  }

  function choose(id) {
    state.set({ sample: id, target: null });
    choice.mark();
    showSample();
  }

  /** What goes wrong is said in `place`. */
  async function guarded(action, place = error) {
    place.hidden = true;
    try {
      await action();
    } catch (problem) {
      place.hidden = false;
      place.textContent = problem.message;
    }
  }

  function showSample() {
    const sample = state.get("sample");
    if (!sample) return undefined;
    return guarded(() => asked.run(async (signal) => {
      const query = { sample };
      const [one, values] = await Promise.all([samples.json("one", { query, signal }), samples.bytes("values", { query, signal })]);
      volume = await readVolume(values);
      heat = null;
      const size = volume.shape.slice(1);
      slices.hidden = size.length !== 3;
      if (size.length === 3) Object.assign(slice, { max: size[0] - 1, value: size[0] >> 1 });
      canvas.classList.toggle("pixelated", size.length > 1 && Math.max(...size.slice(-2)) < 160);
      frame.style.aspectRatio = size.length === 1 ? "3 / 1" : `${size.at(-1)} / ${size.at(-2)}`;
      paint();
      fill(name, one.name, one.label === null ? "" : [" is labelled ", h("b", {}, one.label)]);
      await showPrediction();
      showNeighbours();
      await showHeat();
    }));
  }

  function paint() {
    if (!volume) return;
    paintSample(canvas, volume, Number(slice.value));
    canvas.classList.toggle("greyed", heat !== null);
    if (heat) paintHeat(over, heat, signed, Number(slice.value));
    over.hidden = !heat;
  }

  function showPrediction() {
    const sample = state.get("sample");
    policyLabel.hidden = knows || views.value === "1";
    return guarded(() => drawnBy.run(async (signal) => {
      const query = { sample, views: views.value, policy: policyLabel.hidden ? null : policy.value.trim() || policy.placeholder };
      said = await api.json("prediction", { query, signal });
      const best = said.views ?? said;
      fill(headline, h("strong", {}, best.label), ` ${percent(best.posterior[best.label])}`);
      made.textContent = said.views ? `${said.views.made_by}. The thin line is the sample as it is.` : "";
      drawBars(best.posterior, said.views ? said.posterior : null);
      tell(`${best.label}, ${percent(best.posterior[best.label])}`);
    }), refused);
  }
  const drawnBy = lastOnly();

  function drawBars(posterior, plain) {
    const target = state.get("target");
    const order = about.classes.map((one, index) => ({ one, index, share: posterior[one] })).sort((a, b) => b.share - a.share);
    const chosen = order.slice(0, MOST_BARS);
    const wanted = order.find(({ index }) => String(index) === target);
    if (wanted && !chosen.includes(wanted)) chosen.push(wanted);
    fill(bars, chosen.map(({ one, index, share }, place) => h("button", { type: "button", class: "posterior",
      "aria-pressed": target === null ? place === 0 : String(index) === target, title: `What speaks for ${one}?`,
      onclick: () => {
        state.set({ target: index });
        drawBars(posterior, plain);
        if (method.value === NONE) {
          method.value = about.methods[0];
          state.set({ method: null });
        }
        showHeat();
      } },
      h("span", { class: "posterior-name" }, one),
      h("span", { class: "posterior-place" }, h("span", { class: "posterior-bar", style: { width: `${100 * share}%` } }),
        plain ? h("span", { class: "posterior-plain", style: { left: `${100 * plain[one]}%` } }) : null),
      h("span", { class: "posterior-share" }, percent(share)))));
    if (order.length > chosen.length) bars.append(h("p", { class: "small soft" }, `and ${order.length - chosen.length} more classes`));
  }

  function question() {
    return { sample: state.get("sample"), method: method.value, target: state.get("target") };
  }

  function showHeat() {
    followed.stop();
    faithful.replaceChildren();
    check.hidden = strength.parentElement.hidden = method.value === NONE;
    if (method.value === NONE || !volume) {
      heated.stop();
      heat = null;
      under.textContent = "";
      return paint();
    }
    return guarded(() => heated.run(async (signal) => {
      under.textContent = `Computing ${method.value} …`;
      try {
        const told = await api.json("evidence", { query: question(), signal });
        heat = await readVolume(await api.bytes("heat", { query: question(), signal }));
        signed = told.signed;
        const cells = shapeOf(told.cells), where = told.layer ? ` of ${told.layer}` : "";
        under.textContent = `Red speaks for ${told.class}${signed ? ", blue against it" : ""}. ${told.method}${where}${told.centres.length ? `: ${cells.join("×")} cells, each at the centre of what it sees` : ""}.`;
        paint();
        over.style.opacity = strength.value / 100;
      } catch (problem) {
        under.textContent = "";
        heat = null;
        paint();
        throw problem;
      }
    }));
  }

  function shapeOf(cells) {
    return Array.isArray(cells) ? [cells.length, ...shapeOf(cells[0])] : [];
  }

  function showFaithfulness() {
    return guarded(() => followed.run(async (signal) => {
      faithful.textContent = "The input is deleted and given back step by step …";
      const found = await api.json("faithfulness", { query: question(), signal });
      const line = (word, own, random, better) => h("li", {}, `${word}: ${short(own)}, in random order ${short(random)}`,
        h("span", { class: "soft" }, ` (${better} is better)`));
      const trusted = found.deletion_auc < found.random_deletion_auc && found.insertion_auc > found.random_insertion_auc;
      fill(faithful, h("ul", { class: "plain" },
        line("Area while deleting the reddest first", found.deletion_auc, found.random_deletion_auc, "lower"),
        line("Area while inserting the reddest first", found.insertion_auc, found.random_insertion_auc, "higher")),
        h("p", {}, trusted ? "Both beat a random order: the map points at what the network uses here."
          : "It does not beat a random order in both: do not trust this map for this sample."));
    }).catch((problem) => {
      faithful.replaceChildren();
      throw problem;
    }));
  }

  async function showNeighbours() {
    if (!about.store) return;
    const sample = state.get("sample");
    fill(near, h("p", { class: "soft small" }, "Looking …"));
    try {
      const { hits } = await api.json("neighbours", { query: { sample } });
      if (sample !== state.get("sample")) return;
      fill(near, hits.map((hit) => h("figure", { class: "neighbour", title: hit.path },
        h("img", { src: api.url("neighbour", { row: hit.row }), alt: hit.path, loading: "lazy" }),
        h("figcaption", {}, hit.label ? h("b", {}, hit.label) : null, " ", hit.similarity.toFixed(3)))));
    } catch (problem) {
      fill(near, h("p", { class: "soft small" }, problem.message));
    }
  }

  /** Sample and heat-map as one picture. */
  function together() {
    const both = h("canvas", { width: Math.max(canvas.width, 480), height: Math.round((Math.max(canvas.width, 480) * canvas.height) / canvas.width) });
    const pen = both.getContext("2d");
    pen.imageSmoothingEnabled = !canvas.classList.contains("pixelated");
    if (heat) pen.filter = "grayscale(1)";
    pen.drawImage(canvas, 0, 0, both.width, both.height);
    pen.filter = "none";
    pen.imageSmoothingEnabled = true;
    pen.globalAlpha = strength.value / 100;
    if (heat) pen.drawImage(over, 0, 0, both.width, both.height);
    return both;
  }

  fromLink();
  if (state.get("sample")) showSample();
  return {
    restore() {
      fromLink();
      choice.mark();
      showSample();
    },
    leave() {
      for (const one of [asked, heated, followed, drawnBy]) one.stop();
    },
  };
}
