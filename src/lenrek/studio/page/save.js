// Pictures of the page as files: an <svg> as SVG or PNG, a <canvas> as PNG.

import { h } from "./element.js";

const KEPT = [
  "fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "stroke-linecap",
  "stroke-opacity", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "dominant-baseline",
  "image-rendering", "color",
];
const PNG_SCALE = 2; // sharp on a projector

/** Buttons that save what `find()` returns at that moment. */
export function saveButtons(find, name) {
  const button = (kind, make) =>
    h("button", {
      type: "button", class: "quiet", title: `Save as ${kind}`,
      onclick: async () => {
        const picture = find();
        if (picture) download(await make(picture), `${typeof name === "function" ? name() : name}.${kind.toLowerCase()}`);
      },
    }, kind);
  const drawn = find();
  const isSvg = drawn === null || drawn === undefined || drawn instanceof SVGElement;
  return h("span", { class: "save", role: "group", "aria-label": "Save picture" },
    h("span", { class: "soft" }, "Save "), isSvg ? button("SVG", async (picture) => asSvg(picture)) : null, button("PNG", asPng));
}

/** The drawing as a file of its own: with the looks that the page's style gives it. */
export function asSvg(picture) {
  const copy = picture.cloneNode(true);
  const ours = [picture, ...picture.querySelectorAll("*")];
  const theirs = [copy, ...copy.querySelectorAll("*")];
  ours.forEach((one, place) => {
    const style = getComputedStyle(one);
    for (const name of KEPT) {
      const value = style.getPropertyValue(name);
      if (value) theirs[place].style.setProperty(name, value);
    }
    theirs[place].removeAttribute("tabindex");
  });
  const box = picture.getBoundingClientRect();
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", Math.round(box.width));
  copy.setAttribute("height", Math.round(box.height));
  copy.style.setProperty("background", getComputedStyle(document.body).backgroundColor);
  return new Blob([new XMLSerializer().serializeToString(copy)], { type: "image/svg+xml" });
}

/** The picture as pixels. */
export async function asPng(picture) {
  if (picture instanceof HTMLCanvasElement) return new Promise((done) => picture.toBlob(done, "image/png"));
  const address = URL.createObjectURL(asSvg(picture));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = h("canvas", { width: image.width * PNG_SCALE, height: image.height * PNG_SCALE });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await asPng(canvas);
  } finally {
    URL.revokeObjectURL(address);
  }
}

function download(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name.replace(/[^\w.+-]+/g, "-") }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
