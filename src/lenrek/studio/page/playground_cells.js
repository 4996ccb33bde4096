// The picture's cells: outputs are looked at, samples and weights are edited, by pointer and by keys.

import { h, short } from "./element.js";

const NAMES = { x: "input", w: "kernel", y: "output" };

/** Listens to a place that holds the picture. `look(output)` and `edit(volume, place, number)` are called with places. */
export function cells(holder, { look, edit, numbers, sizes, step }) {
  const find = (name) => holder.querySelector(`[data-cell="${name}"]`);
  const all = (volume) => [...holder.querySelectorAll(`[data-cell^="${volume}:"]`)];
  const place = (name) => {
    const [volume, index] = name.split(":");
    const [, ...at] = index.split(",").map(Number);
    const size = sizes()[volume];
    return { volume, at, place: at.length === 1 ? at[0] : at[0] * size[1] + at[1] };
  };
  const named = (volume, flat) => {
    const size = sizes()[volume];
    return `${volume}:0,${size.length === 1 ? flat : `${Math.floor(flat / size[1])},${flat % size[1]}`}`;
  };
  const focused = { x: 0, w: 0 };
  let editor = null;

  /** After the picture changed: who may be reached by keys, and what each is called. */
  function dress(kept) {
    for (const volume of ["x", "w", "y"]) {
      const here = volume === "y" ? step() : focused[volume];
      for (const cell of all(volume)) {
        const { at, place: flat } = place(cell.dataset.cell);
        cell.setAttribute("tabindex", flat === here ? 0 : -1);
        cell.setAttribute("role", "button");
        const value = numbers()[volume]?.[flat];
        cell.setAttribute("aria-label", `${NAMES[volume]} ${at.join(", ")}${value === undefined ? "" : `: ${short(value)}`}`);
      }
    }
    if (kept) find(kept)?.focus();
  }

  function open(name, first = "") {
    const cell = find(name);
    if (!cell || name.startsWith("y:")) return;
    close(false);
    const box = cell.getBoundingClientRect(), frame = holder.getBoundingClientRect();
    const { volume, place: flat } = place(name);
    const width = Math.max(box.width, 64);
    const input = h("input", {
      type: "text", inputmode: "decimal", class: "cell-editor", "aria-label": cell.getAttribute("aria-label"),
      value: first || String(numbers()[volume][flat]),
      style: { left: `${box.left - frame.left + holder.scrollLeft - (width - box.width) / 2}px`, top: `${box.top - frame.top}px`, width: `${width}px`, height: `${box.height}px` },
      onkeydown: (event) => {
        if (event.key === "Enter") close(true);
        else if (event.key === "Escape") close(false);
        else if (event.key === "Tab") next(event.shiftKey ? -1 : 1);
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
      onblur: () => close(true),
    });
    editor = { input, name };
    focused[volume] = flat;
    holder.append(input);
    input.focus();
    if (!first) input.select();
  }

  function close(keep) {
    if (!editor) return;
    const { input, name } = editor;
    editor = null;
    input.remove();
    const { volume, place: flat } = place(name);
    const number = Number(input.value.replace("−", "-").replace(",", "."));
    if (keep && input.value.trim() !== "" && Number.isFinite(number) && number !== numbers()[volume][flat]) edit(volume, flat, number);
    find(name)?.focus();
  }

  async function next(direction) {
    const { volume, place: flat } = place(editor.name);
    const count = all(volume).length;
    close(true);
    await new Promise((done) => setTimeout(done, 30)); // the picture with the number is drawn
    open(named(volume, (flat + direction + count) % count));
  }

  holder.addEventListener("click", (event) => {
    const name = event.target.closest?.("[data-cell]")?.dataset.cell;
    if (name?.startsWith("y:")) look(place(name).place);
    else if (name) open(name);
  });
  holder.addEventListener("pointerover", (event) => {
    const name = event.target.closest?.("[data-cell]")?.dataset.cell;
    if (name?.startsWith("y:") && event.pointerType === "mouse" && !editor) look(place(name).place);
  });
  holder.addEventListener("keydown", (event) => {
    const name = event.target.dataset?.cell;
    if (!name || event.ctrlKey || event.metaKey || event.altKey) return;
    const { volume, place: flat } = place(name), size = sizes()[volume], count = all(volume).length;
    const across = size.length === 1 ? count : size[1];
    const moves = { ArrowRight: flat + 1, ArrowLeft: flat - 1, ArrowDown: flat + across, ArrowUp: flat - across, Home: 0, End: count - 1 };
    if (event.key in moves) {
      const target = moves[event.key];
      if (target >= 0 && target < count) {
        if (volume === "y") look(target, named("y", target));
        else {
          focused[volume] = target;
          dress(named(volume, target));
        }
      }
    } else if (volume !== "y" && (event.key === "Enter" || event.key === "F2")) open(name);
    else if (volume !== "y" && /^[-−0-9.]$/.test(event.key)) open(name, event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  return { dress, editing: () => editor !== null };
}
