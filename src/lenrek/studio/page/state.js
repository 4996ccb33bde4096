// What the page shows, as its link says it: #view?name=value&…

/** The view and its values that the link names. */
export function readLink() {
  const [view, rest = ""] = location.hash.slice(1).split(/\?(.*)/s);
  return { view: decodeURIComponent(view), values: Object.fromEntries(new URLSearchParams(rest)) };
}

/** The part of the link that one view reads and writes. */
export class State {
  constructor(view) {
    this.view = view;
    this.values = {};
  }

  get(name, fallback = null) {
    return this.values[name] ?? fallback;
  }

  number(name, fallback) {
    const found = Number(this.values[name]);
    return this.values[name] !== undefined && Number.isFinite(found) ? found : fallback;
  }

  /** Change values; null removes one. `push` makes a step that the back button undoes. */
  set(changes, { push = false } = {}) {
    for (const [name, value] of Object.entries(changes)) {
      if (value === null || value === undefined || value === "") delete this.values[name];
      else this.values[name] = String(value);
    }
    if (readLink().view === this.view) history[push ? "pushState" : "replaceState"](null, "", this.link());
  }

  link() {
    const rest = new URLSearchParams(this.values).toString();
    return `#${this.view}${rest ? `?${rest}` : ""}`;
  }
}
