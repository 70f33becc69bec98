// The address bar: `#/view?parameters`. It holds the whole question, so that a link shows somebody else the same view.

/// The view and its parameters that the address names.
export function read() {
  const [path, search = ""] = location.hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  return { view: path || "correlate", parameters: new URLSearchParams(search) };
}

const address = (view, parameters) => {
  // These are legal in a fragment, and a link that can be read is a better link.
  const text = parameters.toString().replace(/%3A/g, ":").replace(/%2C/g, ",").replace(/%2F/g, "/");
  return `#/${view}${text ? `?${text}` : ""}`;
};

/// Shows the state in the address: `step` when going back should lead to the state before.
export function write(view, parameters, { step = false } = {}) {
  const next = address(view, parameters);
  if (next === location.hash) return;
  history[step ? "pushState" : "replaceState"](null, "", next);
}

export const href = address;

/// Tags under a prefix: `tag.symbol=AAPL`. The prefix alone is a series that has no tags.
export function readTags(parameters, prefix) {
  const tags = {};
  for (const [name, value] of parameters) {
    if (name.startsWith(`${prefix}.`)) tags[name.slice(prefix.length + 1)] = value;
  }
  return Object.keys(tags).length || parameters.has(prefix) ? tags : null;
}

export function writeTags(parameters, prefix, tags) {
  if (tags && !Object.keys(tags).length) parameters.append(prefix, "");
  for (const [name, value] of Object.entries(tags ?? {})) parameters.append(`${prefix}.${name}`, value);
}
