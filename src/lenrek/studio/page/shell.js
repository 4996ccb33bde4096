// The frame around the views: tabs, links, colours.

import { apiOf, Refused } from "./api.js";
import { fill, h, tell } from "./element.js";
import { readLink, State } from "./state.js";

// name: as in the link, in /api and of the file in views/.
const VIEWS = [
  { name: "network", title: "Network" },
  { name: "image", title: "Image" },
  { name: "playground", title: "Playground" },
  { name: "runs", title: "Runs" },
  { name: "map", title: "Map" },
];

const panels = document.getElementById("views");
const tabs = document.getElementById("tabs");
const views = VIEWS.map(({ name, title }) => {
  const state = new State(name);
  const tab = h("a", { role: "tab", id: `tab-${name}`, href: `#${name}`, "aria-controls": `view-${name}` }, title);
  const panel = h("section", { role: "tabpanel", id: `view-${name}`, "aria-labelledby": tab.id, hidden: true });
  return { name, title, state, tab, panel, mounted: null };
});
fill(tabs, views.map((view) => view.tab));
fill(panels, views.map((view) => view.panel));

let shown = null;
let wanted = null;

async function show(view) {
  wanted = view;
  if (shown && shown !== view) (await shown.mounted)?.leave?.();
  if (wanted !== view) return; // another one was asked for meanwhile
  shown = view;
  for (const one of views) {
    const chosen = one === view;
    one.panel.hidden = !chosen;
    one.tab.setAttribute("aria-selected", chosen);
    one.tab.tabIndex = chosen ? 0 : -1;
    one.tab.href = one.state.link();
    if (chosen) one.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  document.title = `${view.title} – lenrek studio`;
  if (view.mounted === null) {
    const module = import(`./views/${view.name}.js`);
    view.mounted = module.then(({ mount }) => mount(view.panel, apiOf(view.name), view.state)).catch((error) => {
      if (!(error instanceof Refused)) console.error(error);
      fill(view.panel, h("p", { class: "error", role: "alert" }, error.message));
      view.mounted = null; // tried again when it is next opened
    });
  } else {
    (await view.mounted)?.restore?.();
  }
}

function follow() {
  const link = readLink();
  const view = views.find((one) => one.name === link.view) ?? views[0];
  if (link.view === view.name) view.state.values = link.values;
  else history.replaceState(null, "", view.state.link());
  show(view);
}

tabs.addEventListener("keydown", (event) => {
  const at = views.findIndex((view) => view.tab === document.activeElement);
  const steps = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: views.length - 1 };
  if (at < 0 || !(event.key in steps)) return;
  event.preventDefault();
  const next = views[(steps[event.key] + views.length) % views.length];
  next.tab.focus();
  location.hash = next.state.link();
});
document.addEventListener("keydown", (event) => {
  if (!event.altKey || event.ctrlKey || event.metaKey) return;
  const view = views[Number(event.key) - 1];
  if (!view) return;
  event.preventDefault();
  location.hash = view.state.link();
});
window.addEventListener("hashchange", follow);
window.addEventListener("popstate", follow);

// Colours: as the system has them, or as was chosen here.
const COLOURS = ["auto", "light", "dark"];
const SAID = { auto: "as the system", light: "light", dark: "dark" };
const theme = document.getElementById("theme");
function colour(chosen) {
  if (chosen === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
  theme.textContent = { auto: "◐", light: "☀", dark: "☾" }[chosen];
  theme.setAttribute("aria-label", `Colours: ${SAID[chosen]}`);
  theme.title = theme.getAttribute("aria-label");
}
function remembered() {
  const found = localStorage.getItem("lenrek-theme");
  return COLOURS.includes(found) ? found : "auto";
}
theme.addEventListener("click", () => {
  const next = COLOURS[(COLOURS.indexOf(remembered()) + 1) % COLOURS.length];
  localStorage.setItem("lenrek-theme", next);
  colour(next);
  tell(theme.title);
  window.dispatchEvent(new Event("themechange"));
});
colour(remembered());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.dispatchEvent(new Event("themechange")));

const about = apiOf("").json("/about");
about.then((told) => {
  document.getElementById("subject").textContent = (told.model ?? "").split(/[\\/]/).at(-1);
});
if (location.hash) follow();
else {
  // Without a network the first view has nothing to show.
  const first = await about.then((told) => (told.model ? views[0] : views.find((one) => one.name === "playground")), () => views[0]);
  if (!location.hash) { // else a view was chosen while we asked
    history.replaceState(null, "", first.state.link());
    follow();
  }
}
