// Trainings: curves, also while they go on, results, and the pictures behind each cell of the confusion matrix.

import { lastOnly } from "../api.js";
import { drawing, fill, h } from "../element.js";
import { saveButtons } from "../save.js";

const LOOK_AGAIN_MS = 2000;
const MOST_CLASSES = 40;
const percent = (share) => (share === null || share === undefined ? "" : `${(100 * share).toFixed(1)} %`);
const SAID = { finished: "finished", training: "training now", interrupted: "interrupted", damaged: "cannot be read" };

export async function mount(element, api, state) {
  const asked = lastOnly(), opened = lastOnly();
  const list = h("div", { class: "run-list", role: "group", "aria-label": "Runs" });
  const detail = h("div", { class: "run-detail" });
  const columns = h("select", { "aria-label": "Compare by", onchange: () => {
    state.set({ compare: columns.value || null });
    showCompared();
  } }, [["", "compare runs by …"], ["validation_accuracy", "validation accuracy"], ["validation_loss", "validation loss"],
    ["train_loss", "train loss"], ["samples_per_s", "speed"]].map(([value, text]) => h("option", { value }, text)));
  const together = h("div", { class: "chart-place", hidden: true });
  fill(element, h("div", { class: "runs" }, h("div", { class: "run-side" }, list, columns), h("div", {}, together, detail)));
  let shown = null, stamp = "", timer = 0, here = true;

  async function showList() {
    const { runs } = await api.json("list");
    if (!runs.length) {
      columns.hidden = true;
      fill(list, h("p", {}, "No runs here yet."), h("p", { class: "soft small" }, "lenrek train DATA writes one; lenrek studio --runs FOLDER shows those of a folder."));
      return;
    }
    columns.hidden = runs.length < 2;
    fill(list, runs.map((run) => h("button", { type: "button", class: "run", "data-run": run.name,
      "aria-current": run.name === state.get("run", runs[0].name),
      onclick: () => {
        state.set({ run: run.name, cell: null }, { push: true });
        show();
      } },
      h("b", {}, run.name),
      h("span", { class: `small ${run.state === "training" ? "live" : "soft"}` }, `${SAID[run.state]}${run.epochs ? `, ${run.epochs}${run.planned && run.state !== "finished" ? ` of ${run.planned}` : ""} epochs` : ""}`),
      h("span", { class: "run-figure" }, percent(run.test_accuracy ?? run.validation_accuracy), run.test_accuracy === null && run.validation_accuracy ? h("span", { class: "soft small" }, " val.") : null))));
    if (!state.get("run") || !runs.some((run) => run.name === state.get("run"))) state.set({ run: runs[0].name });
  }

  function show() {
    const name = state.get("run");
    for (const one of list.querySelectorAll("[data-run]")) one.setAttribute("aria-current", one.dataset.run === name);
    if (!name) return undefined;
    return asked.run(async (signal) => {
      const run = await api.json("one", { query: { run: name }, signal });
      const same = shown === name;
      shown = name;
      stamp = run.stamp;
      draw(run, same);
      watch(run.state);
    }).catch((error) => fill(detail, h("p", { class: "error", role: "alert" }, error.message)));
  }

  /** A run that goes on is drawn again when its files have changed. */
  function watch(now) {
    clearTimeout(timer);
    if (now !== "training" || !here) return;
    timer = setTimeout(async () => {
      try {
        const found = await api.json("stamp", { query: { run: state.get("run") } });
        if (found.stamp !== stamp || found.state !== now) {
          await showList();
          await show();
          if (state.get("compare")) showCompared();
        } else watch(now);
      } catch {
        watch(now);
      }
    }, LOOK_AGAIN_MS);
  }

  function draw(run, same) {
    const test = run.evaluations.test ?? run.evaluations.validation;
    const last = run.history.at(-1);
    const { model, data, epochs, augment } = run.config;
    const facts = [model && `${model} on ${data}`, epochs && `${run.history.length} of at most ${epochs} epochs`,
      augment && augment !== "none" && `augmented by ${augment}`].filter(Boolean).join(" · ");
    const headline = test
      ? [h("strong", {}, percent(test.accuracy)), ` right on ${test.num_samples.toLocaleString("en")} test samples`,
        h("span", { class: "soft small" }, ` (95 %: ${percent(test.accuracy_interval[0])} to ${percent(test.accuracy_interval[1])})`)]
      : last ? [h("strong", {}, percent(last.validation_accuracy ?? last.train_accuracy)), ` after epoch ${last.epoch}`,
        run.state === "training" ? h("span", { class: "live small" }, " training now") : h("span", { class: "soft small" }, ` ${SAID[run.state]}`)]
        : "no epoch is finished yet";
    const charts = h("div", { class: "charts" }, run.charts.map(({ title, svg }) => {
      const picture = drawing(svg);
      return h("figure", {}, h("div", { class: "row spread" }, h("h3", {}, title),
        saveButtons(() => picture, `${run.name}-${title}`)), picture);
    }));
    const report = run.report ? h("a", { href: api.url("report", { run: run.name }), target: "_blank", rel: "noopener" }, "The whole report") : null;
    const old = same ? detail.querySelector(".confusion") : null;
    fill(detail, h("h2", { class: "unseen" }, run.name), h("p", { class: "headline" }, headline),
      h("p", { class: "small soft" }, facts, facts && report ? " · " : "", report), charts,
      old ?? (test ? confusion(run.name, test) : null));
  }

  function confusion(run, test) {
    const names = test.per_class.map((one) => one.name);
    const place = h("div", { class: "cell-pictures", "aria-live": "polite" });
    const heading = h("h3", {}, "What was called what");
    const box = h("section", { class: "confusion" }, heading);
    const open = (truth, said) => {
      state.set({ cell: `${truth},${said}` });
      for (const one of box.querySelectorAll("td button")) one.setAttribute("aria-pressed", one.dataset.cell === `${truth},${said}`);
      showCell(place, run, truth, said);
    };
    if (names.length > MOST_CLASSES) {
      const pairs = test.confusion.flatMap((row, truth) => row.map((count, said) => ({ truth, said, count })))
        .filter(({ truth, said, count }) => count && truth !== said).sort((a, b) => b.count - a.count).slice(0, 30);
      box.append(h("ol", {}, pairs.map(({ truth, said, count }) => h("li", {},
        h("button", { type: "button", class: "quiet", onclick: () => open(truth, said) }, `${names[truth]} called ${names[said]}: ${count}`)))));
    } else {
      const cell = (row, truth) => (count, said) => {
        const share = Math.sqrt(count / Math.max(1, row.reduce((sum, one) => sum + one, 0)));
        const right = truth === said, tone = right ? "--right-rgb" : "--wrong-rgb";
        const what = `${names[truth]} called ${names[said]}: ${count}`;
        return h("td", {}, h("button", { type: "button", "data-cell": `${truth},${said}`, disabled: !count, title: what, "aria-label": what,
          "aria-pressed": false, style: { background: `rgb(var(${tone}) / ${(0.85 * share).toFixed(3)})`, color: share > 0.75 ? "#fff" : "" },
          onclick: () => open(truth, said) }, count ? String(count) : "·"));
      };
      box.append(h("p", { class: "small soft" }, "Rows are the truth, columns what the network said. Choose a cell to see its pictures."),
        h("div", { class: "scroll" }, h("table", {},
          h("thead", {}, h("tr", {}, h("td", {}), names.map((name) => h("th", { scope: "col", class: "said" }, h("span", {}, name))))),
          h("tbody", {}, test.confusion.map((row, truth) => h("tr", {}, h("th", { scope: "row" }, names[truth]), row.map(cell(row, truth))))))));
    }
    box.append(place);
    const wanted = state.get("cell")?.split(",").map(Number);
    if (wanted?.length === 2 && wanted.every((one) => Number.isInteger(one) && one >= 0 && one < names.length)) open(...wanted);
    return box;
  }

  function showCell(place, run, truth, said) {
    fill(place, h("p", { class: "soft small" }, "Looking at the test samples again …"));
    opened.run(async (signal) => {
      const found = await api.json("cell", { query: { run, truth, said }, signal });
      const more = found.count - found.samples.length;
      fill(place, h("h3", {}, `${found.truth} called ${found.said}: ${found.count}`),
        h("div", { class: "neighbours" }, found.samples.map((one) => h("figure", { class: "neighbour", title: one.name },
          h("a", { href: `#image?sample=${one.sample}` }, h("img", { src: api.url("picture", { run, index: one.index }), alt: one.name, loading: "lazy", class: "pixelated" })),
          h("figcaption", {}, `${percent(one.posterior)} `, h("span", { class: "name" }, one.name))))),
        more > 0 ? h("p", { class: "soft small" }, `and ${more} more`) : null);
    }).catch((error) => fill(place, h("p", { class: "error small" }, error.message)));
  }

  async function showCompared() {
    const column = state.get("compare");
    columns.value = column ?? "";
    together.hidden = !column;
    if (!column) return;
    const { svg } = await api.json("compared", { query: { column } });
    if (!svg) {
      fill(together, h("p", { class: "soft" }, "None of the runs has this."));
      return;
    }
    const picture = drawing(svg);
    fill(together, h("div", { class: "row spread" }, h("h3", {}, columns.selectedOptions[0]?.textContent ?? column), saveButtons(() => picture, `runs-${column}`)), picture);
  }

  await showList();
  await show();
  await showCompared();
  return {
    async restore() {
      here = true;
      await showList();
      await show();
      await showCompared();
    },
    leave() {
      here = false;
      clearTimeout(timer);
      asked.stop();
      opened.stop();
    },
  };
}
