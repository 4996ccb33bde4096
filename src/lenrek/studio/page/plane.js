// Points on a canvas that can be moved and zoomed; small pictures take their place where few are in sight.

import { h } from "./element.js";

const FEW = 60; // points in sight, of which pictures are drawn
const PICTURE = 44, RADIUS = 3.5, NEAR = 14; // px
const OTHER = "#9aa3ad"; // without a label
const DEEPEST = 400; // times the whole

/** The colour of a label, lighter on a dark ground; `lift` says by how much. */
export const colourOf = (label, lift = "var(--lift)") => `color-mix(in srgb, ${label?.colour ?? OTHER}, white ${lift})`;

/** `moved({x, y, zoom}, whole)`, `pointed(at)` and `chosen(at, open)` are told what the user does; at is −1 for none. */
export class Plane {
  constructor({ pictureOf, moved, pointed, chosen }) {
    Object.assign(this, { pictureOf, moved, pointed, chosen });
    this.x = this.y = 0;
    this.scale = this.base = 1; // px for a unit of the plane: now, and with all points in sight
    this.whole = true;
    this.points = { x: [], y: [], ids: [], labels: [] };
    this.pictures = new Map();
    this.only = this.selected = this.hovered = -1;
    this.canvas = h("canvas", { class: "map-plane", tabindex: 0, role: "img", "aria-label": "Map" });
    this.canvas.addEventListener("keydown", (event) => this.#key(event));
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 400), event.offsetX, event.offsetY);
    }, { passive: false });
    this.#listenToPointers();
    new ResizeObserver(() => {
      if (!this.canvas.clientWidth) return;
      const { x, y, zoom } = this.view(), { whole } = this;
      if (whole) this.fit(false);
      else this.look(x, y, zoom);
    }).observe(this.canvas);
  }

  /** Show these points; only those of one label stay bright, −1 for all. */
  set(points, only) {
    if (points !== this.points) this.pictures.clear();
    this.points = points;
    this.only = only;
  }

  /** All points in sight. `told`: whether the link should say so. */
  fit(told = true) {
    const { x, y } = this.points, [width, height] = this.#size();
    const [left, right] = ends(x), [bottom, top] = ends(y);
    this.x = (left + right) / 2;
    this.y = (bottom + top) / 2;
    this.base = this.scale = Math.min((width - 40) / (right - left || 1), (height - 40) / (top - bottom || 1));
    this.whole = true;
    this.paint();
    if (told) this.moved(this.view(), true);
  }

  /** The middle of the canvas at (x, y), `zoom` times the scale at which all points are in sight. */
  look(x, y, zoom) {
    this.fit(false);
    Object.assign(this, { x, y, scale: this.base * Math.min(Math.max(zoom, 0.2), DEEPEST), whole: false });
    this.paint();
  }

  view() {
    return { x: this.x, y: this.y, zoom: this.scale / this.base };
  }

  /** Zoom about a place of the canvas, its middle by default. */
  zoom(factor, px = this.#size()[0] / 2, py = this.#size()[1] / 2) {
    const [width, height] = this.#size();
    const wanted = Math.min(Math.max((this.scale * factor) / this.base, 0.2), DEEPEST) * this.base;
    const dx = px - width / 2, dy = py - height / 2;
    this.x += dx / this.scale - dx / wanted;
    this.y -= dy / this.scale - dy / wanted;
    this.scale = wanted;
    this.#after();
  }

  select(at) {
    this.selected = at;
    this.paint();
  }

  /** Where a point lies on the canvas, in px. */
  onCanvas(at) {
    const [width, height] = this.#size();
    return [width / 2 + (this.points.x[at] - this.x) * this.scale, height / 2 - (this.points.y[at] - this.y) * this.scale];
  }

  /** Once per frame, however often it is asked for. */
  paint() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#paint();
    });
  }

  #paint() {
    const [width, height] = this.#size(), ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      Object.assign(this.canvas, { width: Math.round(width * ratio), height: Math.round(height * ratio) });
    }
    const pen = this.canvas.getContext("2d"), style = getComputedStyle(document.documentElement);
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.fillStyle = style.getPropertyValue("--card");
    pen.fillRect(0, 0, width, height);
    const inSight = [];
    for (let at = 0; at < this.points.ids.length; at++) {
      const [x, y] = this.onCanvas(at);
      if (x > -PICTURE && y > -PICTURE && x < width + PICTURE && y < height + PICTURE) inSight.push([at, x, y]);
    }
    const pictured = inSight.length <= FEW, lift = style.getPropertyValue("--lift");
    const colours = this.points.labels.map((label) => colourOf(label, lift));
    for (const [at, x, y] of inSight) {
      const dim = this.only >= 0 && this.points.label[at] !== this.only;
      pen.globalAlpha = dim ? 0.12 : 0.8;
      const colour = colours[this.points.label[at]];
      const picture = pictured && !dim ? this.#picture(this.points.ids[at]) : null;
      if (picture) this.#drawPicture(pen, picture, x, y, colour);
      else dot(pen, x, y, colour, RADIUS);
    }
    pen.globalAlpha = 1;
    for (const at of [this.selected, this.hovered]) {
      if (at < 0) continue;
      const [x, y] = this.onCanvas(at);
      pen.strokeStyle = style.getPropertyValue("--mark");
      pen.lineWidth = 2.5;
      pen.beginPath();
      pen.arc(x, y, pictured ? PICTURE / 2 + 6 : RADIUS + 5, 0, 2 * Math.PI);
      pen.stroke();
    }
  }

  #drawPicture(pen, picture, x, y, colour) {
    const scale = PICTURE / Math.max(picture.naturalWidth, picture.naturalHeight);
    const wide = picture.naturalWidth * scale, high = picture.naturalHeight * scale;
    pen.globalAlpha = 1;
    pen.imageSmoothingEnabled = scale < 1;
    pen.drawImage(picture, x - wide / 2, y - high / 2, wide, high);
    pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    pen.strokeRect(x - wide / 2, y - high / 2, wide, high);
  }

  /** Of a sample, once it has been read; null until then and where there is none. */
  #picture(id) {
    if (!this.pictures.has(id)) {
      const image = new Image();
      this.pictures.set(id, null);
      image.onload = () => {
        this.pictures.set(id, image);
        this.paint();
      };
      image.src = this.pictureOf(id);
    }
    return this.pictures.get(id);
  }

  #nearest(px, py, within = NEAR) {
    let best = -1, distance = within;
    for (let at = 0; at < this.points.ids.length; at++) {
      if (this.only >= 0 && this.points.label[at] !== this.only) continue;
      const [x, y] = this.onCanvas(at), away = Math.hypot(x - px, y - py);
      if (away < distance) [best, distance] = [at, away];
    }
    return best;
  }

  #listenToPointers() {
    const held = new Map();
    let dragged = false;
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, [event.offsetX, event.offsetY]);
      dragged = false;
    });
    this.canvas.addEventListener("pointermove", (event) => {
      const before = held.get(event.pointerId), now = [event.offsetX, event.offsetY];
      if (!before) {
        const at = this.#nearest(...now);
        if (at === this.hovered) return;
        this.hovered = at;
        this.pointed(at < 0 ? this.selected : at);
        this.paint();
        return;
      }
      const others = [...held].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
      held.set(event.pointerId, now);
      if (others.length) { // two fingers
        const apart = (one) => Math.hypot(one[0] - others[0][0], one[1] - others[0][1]) || 1;
        this.zoom(apart(now) / apart(before), (now[0] + others[0][0]) / 2, (now[1] + others[0][1]) / 2);
        return;
      }
      if (!dragged && Math.hypot(now[0] - before[0], now[1] - before[1]) < 1) return;
      dragged = true;
      this.x -= (now[0] - before[0]) / this.scale;
      this.y += (now[1] - before[1]) / this.scale;
      this.#after();
    });
    this.canvas.addEventListener("pointerup", (event) => {
      held.delete(event.pointerId);
      if (!dragged) this.#take(this.#nearest(event.offsetX, event.offsetY, PICTURE / 2));
    });
    this.canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
    this.canvas.addEventListener("pointerleave", () => {
      this.hovered = -1;
      this.pointed(this.selected);
      this.paint();
    });
    this.canvas.addEventListener("dblclick", (event) => this.chosen(this.#nearest(event.offsetX, event.offsetY, PICTURE / 2), true));
  }

  #take(at) {
    this.selected = at;
    this.pointed(at);
    this.chosen(at, false);
    this.paint();
  }

  #key(event) {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (way && event.shiftKey) {
      this.x += (way[0] * 60) / this.scale;
      this.y -= (way[1] * 60) / this.scale;
      this.#after();
    } else if (way) this.#step(way);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5, ...this.#anchor());
    else if (event.key === "-") this.zoom(1 / 1.5, ...this.#anchor());
    else if (event.key === "0") this.fit();
    else if (event.key === "Enter") this.chosen(this.selected, true);
    else if (event.key === "Escape") this.#take(-1);
    else return;
    event.preventDefault();
  }

  /** What keys zoom about: the selected sample where it is in sight, else the middle. */
  #anchor() {
    const [width, height] = this.#size();
    if (this.selected < 0) return [];
    const [x, y] = this.onCanvas(this.selected);
    return x >= 0 && y >= 0 && x <= width && y <= height ? [x, y] : [];
  }

  /** To the nearest sample that lies in that direction, from the middle where none is selected. */
  #step([right, down]) {
    const [width, height] = this.#size();
    const [px, py] = this.selected < 0 ? [width / 2, height / 2] : this.onCanvas(this.selected);
    let best = -1, least = Infinity;
    for (let at = 0; at < this.points.ids.length; at++) {
      if (at === this.selected || (this.only >= 0 && this.points.label[at] !== this.only)) continue;
      const [x, y] = this.onCanvas(at);
      const along = (x - px) * right + (y - py) * down, across = Math.abs((x - px) * down) + Math.abs((y - py) * right);
      if (along <= 0 || across > 2 * along) continue;
      const cost = along + 2 * across;
      if (cost < least) [best, least] = [at, cost];
    }
    if (best < 0) return;
    this.#take(best);
    const [x, y] = this.onCanvas(best);
    if (x < 0 || y < 0 || x > width || y > height) {
      this.x = this.points.x[best];
      this.y = this.points.y[best];
      this.#after();
    }
  }

  #after() {
    this.whole = false;
    this.paint();
    this.moved(this.view(), false);
  }

  #size() {
    return [this.canvas.clientWidth, this.canvas.clientHeight];
  }
}

function dot(pen, x, y, colour, radius) {
  pen.fillStyle = colour;
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function ends(values) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low > high ? [0, 1] : [low, high];
}
