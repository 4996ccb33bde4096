// What a view may ask of the server: its own routes, and those of the images that all views share.

export class Refused extends Error {}

async function ask(path, { query = {}, signal, method = "GET", body, headers } = {}) {
  const address = new URL(`api/${path}`, location.href.split(/[?#]/)[0]);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  let answer;
  try {
    answer = await fetch(address, { signal, method, body, headers, credentials: "same-origin" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused("The studio does not answer: it was stopped, or is busy.");
  }
  if (answer.ok) return answer;
  throw new Refused(await sentence(answer));
}

async function sentence(answer) {
  const text = await answer.text();
  try {
    const said = JSON.parse(text);
    return said.error ?? (typeof said.detail === "string" ? said.detail : `The studio said ${answer.status}.`);
  } catch {
    return text || `The studio said ${answer.status}.`;
  }
}

/** Requests to the routes of one view; a path that begins with "/" is of another. */
export function apiOf(view) {
  const at = (path) => (path.startsWith("/") ? path.slice(1) : `${view}/${path}`);
  return {
    json: async (path, options) => (await ask(at(path), options)).json(),
    text: async (path, options) => (await ask(at(path), options)).text(),
    bytes: (path, options) => ask(at(path), options),
    post: async (path, body, options = {}) => {
      const raw = body instanceof Blob || body instanceof ArrayBuffer;
      const headers = raw ? options.headers : { "content-type": "application/json", ...options.headers };
      return (await ask(at(path), { ...options, method: "POST", body: raw ? body : JSON.stringify(body), headers })).json();
    },
    url: (path, query = {}) => {
      const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined);
      const rest = new URLSearchParams(given).toString();
      return `api/${at(path)}${rest ? `?${rest}` : ""}`;
    },
  };
}

/** Only the last of several requests counts: `run` ends the one before it. */
export function lastOnly() {
  let going = null;
  return {
    stop: () => going?.abort(),
    async run(action) {
      going?.abort();
      const mine = (going = new AbortController());
      try {
        return await action(mine.signal);
      } catch (error) {
        if (error.name === "AbortError" || mine.signal.aborted) return undefined;
        throw error;
      }
    },
  };
}
