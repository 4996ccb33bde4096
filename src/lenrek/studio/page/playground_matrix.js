// The matrix of an operation: a row for each output, a column for each sample, coloured by its numbers.

import { h, short } from "./element.js";

const MARGIN = 1, LONGEST = 460, LARGEST = 24, NUMBERS_FROM = 17;

/** A canvas with a caption; `choose` is called with the row that is clicked. */
export function matrixPicture(choose) {
  const canvas = h("canvas", { role: "img", class: "matrix" });
  const readout = h("p", { class: "small soft readout-line" });
  const element = h("figure", { class: "playground-matrix" }, canvas, readout);
  let found = null, current = 0, cell = 4, outs = [], ins = [];

  function draw(matrix, step, outSize, inSize) {
    found = matrix;
    current = step;
    [outs, ins] = [outSize, inSize];
    canvas.hidden = Boolean(matrix.none);
    readout.textContent = matrix.none || caption();
    if (matrix.none) return;
    cell = Math.max(3, Math.min(LARGEST, Math.floor(LONGEST / Math.max(matrix.rows, matrix.columns))));
    canvas.setAttribute("aria-label", `A matrix of ${caption()}`);
    repaint();
  }

  function caption() {
    const shared = new Set(found.entries.map((entry) => entry[2])).size;
    return `${found.rows} rows (outputs) × ${found.columns} columns (samples): ${found.entries.length} of ` +
      `${found.rows * found.columns} entries are not zero, with ${shared} different values: blue above zero, red below.`;
  }

  function repaint() {
    if (!found || found.none) return;
    const scale = window.devicePixelRatio || 1;
    const width = found.columns * cell + 2 * MARGIN, height = found.rows * cell + 2 * MARGIN;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.width = `${width}px`;
    const looks = getComputedStyle(document.documentElement);
    const colour = (name) => looks.getPropertyValue(name).trim();
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = colour("--card");
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = `rgb(${colour("--right-rgb")} / .13)`;
    pen.fillRect(MARGIN, MARGIN + current * cell, found.columns * cell, cell);
    const most = Math.max(...found.entries.map((entry) => Math.abs(entry[2])), 1e-12);
    pen.font = `${Math.round(cell * 0.5)}px system-ui, sans-serif`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    for (const [row, column, value] of found.entries) {
      const x = MARGIN + column * cell, y = MARGIN + row * cell;
      const strength = 0.25 + (0.6 * Math.abs(value)) / most;
      pen.fillStyle = `rgb(${colour(value < 0 ? "--wrong-rgb" : "--right-rgb")} / ${row === current ? Math.min(1, strength + 0.15) : strength})`;
      pen.fillRect(x, y, cell - (cell > 5), cell - (cell > 5));
      if (cell >= NUMBERS_FROM) {
        pen.fillStyle = colour("--ink");
        pen.fillText(short(Number(value.toPrecision(2))), x + cell / 2, y + cell / 2, cell - 2);
      }
    }
    pen.strokeStyle = colour("--hair");
    pen.strokeRect(0.5, 0.5, width - 1, height - 1);
    pen.strokeStyle = colour("--mark");
    pen.lineWidth = 1.5;
    pen.strokeRect(MARGIN, MARGIN + current * cell, found.columns * cell, cell);
  }

  function at(event) {
    const box = canvas.getBoundingClientRect(), shrunk = box.width / (found.columns * cell + 2 * MARGIN);
    const row = Math.floor(((event.clientY - box.top) / shrunk - MARGIN) / cell);
    const column = Math.floor(((event.clientX - box.left) / shrunk - MARGIN) / cell);
    return row >= 0 && row < found.rows && column >= 0 && column < found.columns ? [row, column] : null;
  }

  const index = (place, size) => (size.length === 1 ? `${place}` : `${Math.floor(place / size[1])}, ${place % size[1]}`);
  canvas.addEventListener("pointermove", (event) => {
    const place = at(event);
    if (!place) return;
    const entry = found.entries.find(([row, column]) => row === place[0] && column === place[1]);
    readout.textContent = `output ${index(place[0], outs)}, sample ${index(place[1], ins)}: ${entry ? short(entry[2]) : 0}`;
  });
  canvas.addEventListener("pointerleave", () => (readout.textContent = caption()));
  canvas.addEventListener("click", (event) => {
    const place = at(event);
    if (place) choose(place[0]);
  });
  return { element, canvas, draw, repaint, mark(step) {
    current = step;
    repaint();
  } };
}
