import { fill, h } from "../element.js";

export function mount(element) {
  fill(element, h("p", { class: "soft" }, "image"));
}
