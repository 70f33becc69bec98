// The HTTP API, as any other client has it.

import { sameTags } from "./format.js";

/// What went wrong, in words for people. `passing`: it is worth trying again by itself, once what is away is back. A
/// question that took too long would take as long again, and a busy server is not helped by being asked more.
export class ApiError extends Error {
  constructor(message, { status = 0, code = "unreachable", details = null } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.details = details;
  }

  get passing() {
    return this.status === 0 || this.status === 502 || this.code === "database_unavailable";
  }
}

/// The namespace of all questions.
let namespace = "public";
export const setNamespace = (name) => { namespace = name || "public"; };
const inNamespace = (question) => (namespace === "public" ? question : { namespace, ...question });

async function send(url, options) {
  let response;
  try {
    response = await fetch(url, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError("chunkwise does not answer. It may have been stopped, or the network is away.");
  }
  const body = await response.text();
  let json = null;
  try {
    json = JSON.parse(body);
  } catch {
    // Not JSON: a proxy's page, or Prometheus' text.
  }
  if (response.ok || (json?.checks && response.status === 503)) return json ?? body;
  const said = json?.error;
  throw new ApiError(said?.message ?? `The server answered ${response.status}.`, {
    status: response.status, code: said?.code ?? "unknown", details: said?.details,
  });
}

function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, value);
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}

/// What is there: `measurements`, `series`, `chunks`, ...
export const list = (what, parameters = {}, { signal } = {}) =>
  send(`/api/v1/${what}${query(inNamespace(parameters))}`, { signal });

/// So many series are looked through at once.
const PAGE = 1000;

/// The one series of a measurement of which these are all tags, as `{series_id, tags}`, or `null`. A selector of tags also matches series
/// that have more tags than it names, so what is asked of one series is asked by its id.
export async function seriesOf({ name: measurement, tags: names }, tags) {
  if (!Object.keys(tags).every((name) => names.includes(name))) return null;
  const named = Object.fromEntries(Object.entries(tags).map(([name, value]) => [`tag.${name}`, value]));
  let after = null;
  do {
    const { series, next } = await list("series", { measurement, after, limit: PAGE, ...named });
    const found = series.find((one) => sameTags(one.tags, tags));
    if (found) return found;
    after = next;
  } while (after !== null);
  return null;
}

/// A service route, such as `/ready`, as JSON or text.
export const service = (path, { signal } = {}) => send(path, { signal });

/// A question: `window`, `correlate`, `correlate/matrix`, ... `fresh`: by its URL, so that an answer that has not changed is not sent again.
export function ask(kind, question, { signal, fresh = false } = {}) {
  if (fresh) return send(questionUrl(kind, question), { signal, cache: "no-cache" });
  const headers = { "Content-Type": "application/json" };
  return send(`/api/v1/${kind}`, { method: "POST", signal, headers, body: JSON.stringify(inNamespace(question)) });
}

/// The address of a question's answer, in a format.
export function questionUrl(kind, question, format) {
  return `/api/v1/${kind}${query({ q: JSON.stringify(inNamespace(question)), format })}`;
}

/// The question as it is sent, for those who want to send it themselves.
export const asSent = inNamespace;

/// Asks one thing at a time: while an answer is awaited, of further questions only the last is kept, and asked then. So a
/// hand that moves gets as many answers as there can be, and always the last one.
export class Latest {
  #running = false;
  #next = null;
  #abort = null;

  /// `work` gets a signal; a question that replaces another kind of question aborts it.
  run(work, { abort = false } = {}) {
    if (this.#running) {
      this.#next = work;
      if (abort) this.#abort?.abort();
      return;
    }
    this.#running = true;
    this.#abort = new AbortController();
    const { signal } = this.#abort;
    Promise.resolve(work(signal))
      .catch((error) => { if (error.name !== "AbortError") throw error; })
      .finally(() => {
        this.#running = false;
        const next = this.#next;
        this.#next = null;
        if (next) this.run(next);
      });
  }

  /// What runs is not waited for any more, if something else is wanted by now.
  hurry() {
    if (this.#next) this.#abort?.abort();
  }

  stop() {
    this.#next = null;
    this.#abort?.abort();
  }
}
