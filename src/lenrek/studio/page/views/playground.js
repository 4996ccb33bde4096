// Convolution arithmetic on numbers that one can change. Every picture and every number comes from the server.

import { lastOnly, Refused } from "../api.js";
import { drawing, fill, h, tell } from "../element.js";
import { cells } from "../playground_cells.js";
import { controls } from "../playground_controls.js";
import { matrixPicture } from "../playground_matrix.js";
import { isPooling, readSettings, toLink, toRequest } from "../playground_settings.js";
import { saveButtons } from "../save.js";

const LEAST_SCALE = 0.38; // of a large picture on a small screen, where it is scrolled

export async function mount(element, api, state) {
  for (const address of ["page/playground.css", api.url("colours.css")]) {
    document.head.append(h("link", { rel: "stylesheet", href: address }));
  }
  let settings = readSettings(state), drawn = null, matrix = null;
  const picturing = lastOnly(), multiplying = lastOnly();

  const holder = h("div", { class: "playground-picture" });
  const said = h("p", { class: "error", role: "alert", hidden: true });
  const slider = h("input", { type: "range", min: 0, value: 0, "aria-label": "Output", class: "wide", oninput: () => look(Number(slider.value)) });
  const place = h("output", { class: "small soft" });
  const move = (by) => drawn && look(Math.min(drawn.steps - 1, Math.max(0, drawn.step + by)));
  const stepper = h("div", { class: "row stepper" },
    h("button", { type: "button", "aria-label": "One output back", onclick: () => move(-1) }, "‹"), slider,
    h("button", { type: "button", "aria-label": "One output on", onclick: () => move(1) }, "›"), place);
  const panel = controls(change);
  const picture = matrixPicture((row) => look(row));
  const board = cells(holder, {
    look,
    edit: (volume, at, number) => change({ [volume]: withNumber(volume, at, number) }),
    numbers: () => ({ x: drawn?.samples, w: drawn?.weights }),
    sizes: () => ({ x: settings.size, w: settings.kernel, y: drawn?.out_size ?? [1] }),
    step: () => drawn?.step ?? 0,
  });
  fill(element, h("div", { class: "playground" },
    panel.element,
    h("div", { class: "playground-board" },
      h("div", { class: "row spread" },
        h("p", { class: "small soft hint" }, "Click a number of the input or the kernel to change it; point at an output to see what it is made of."),
        saveButtons(() => holder.querySelector("svg"), () => `${settings.kind}-${drawn?.step ?? 0}`)),
      said, holder, stepper),
    h("section", { class: "playground-matrix-part", "aria-label": "Matrix" },
      h("div", { class: "row spread" }, h("h2", {}, "As a matrix"), saveButtons(() => picture.canvas, "matrix")),
      h("p", { class: "small soft" }, "Times the input, row after row as one vector, it gives the output. The marked row makes the marked output."),
      picture.element)));
  window.addEventListener("themechange", picture.repaint);

  function withNumber(volume, at, number) {
    const values = [...(volume === "x" ? drawn.samples : drawn.weights)];
    values[at] = number;
    return values;
  }

  /** Other settings; null begins again. */
  function change(changes) {
    if (changes === null) {
      for (const name of Object.keys(state.values)) state.set({ [name]: null });
      settings = readSettings(state);
    } else {
      settings = { ...settings, ...changes };
      // A made kernel or input belongs to its size.
      const fits = (values, sizes) => values === null || values.length === sizes.reduce((all, n) => all * n, 1);
      if (!fits(settings.x, settings.size)) settings.x = null;
      if (!fits(settings.w, settings.kernel)) settings.w = null;
    }
    state.set(toLink(settings));
    return compute();
  }

  function look(step, focus = null) {
    if (drawn?.step === step && !focus) return undefined;
    settings.step = step;
    state.set({ step });
    return draw(focus);
  }

  async function compute() {
    panel.update(settings);
    await draw();
    const found = await multiplying.run((signal) => api.post("matrix", toRequest(settings), { signal })).catch(refuse);
    if (!found) return;
    matrix = found;
    if (drawn) picture.draw(matrix, drawn.step, drawn.out_size, settings.size);
  }

  async function draw(focus = null) {
    const kept = focus ?? holder.querySelector("[data-cell]:focus")?.dataset.cell;
    const found = await picturing.run((signal) => api.post("draw", toRequest(settings), { signal })).catch(refuse);
    if (!found || board.editing()) return;
    said.hidden = true;
    holder.classList.remove("stale");
    drawn = found;
    const svg = drawing(found.svg);
    svg.setAttribute("role", "group");
    svg.style.minWidth = `${LEAST_SCALE * svg.viewBox.baseVal.width}px`;
    fill(holder, svg);
    slider.max = found.steps - 1;
    slider.value = found.step;
    place.textContent = `${found.step + 1} of ${found.steps}`;
    board.dress(kept);
    if (matrix && matrix.rows === found.steps) picture.mark(found.step);
    tell(found.told);
  }

  /** What cannot be computed is said, and the last picture stays, pale. */
  function refuse(error) {
    if (!(error instanceof Refused)) throw error;
    said.textContent = error.message.replace(/^[a-z_]+: /, "");
    said.hidden = false;
    holder.classList.add("stale");
  }

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    if (event.key === "f" && !isPooling(settings.kind)) change({ flip: !settings.flip });
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft") move(event.key === "ArrowRight" ? 1 : -1);
    else return;
    event.preventDefault();
  });

  await compute();
  return {
    restore() {
      settings = readSettings(state);
      return compute();
    },
    leave() {
      picturing.stop();
      multiplying.stop();
    },
  };
}
