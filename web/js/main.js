// The frame: the bar on top, and the view that the address names.

import { setNamespace } from "./api.js";
import { bdi, el, fill, mark } from "./dom.js";
import { healthParts, watchHealth } from "./health.js";
import * as link from "./link.js";
import { themeSwitch } from "./theme.js";
import { failed } from "./parts/states.js";

/// Each view's module is loaded when it is looked at first. It has `open(main, parameters)`, whose answer can `close()`
/// and be shown other parameters by `show(parameters)`.
const VIEWS = {
  correlate: ["Correlate", () => import("./correlate/view.js")],
  explore: ["Explore", () => import("./explore/view.js")],
  store: ["Store", () => import("./store/view.js")],
  benchmarks: ["Benchmarks", () => import("./benchmarks/view.js")],
};

const main = el("main", { id: "main", tabindex: "-1" });
const tabs = el("nav", { class: "views", "aria-label": "Views" });
let current = { view: null, shown: null };
/// What each view's parameters were when it was left.
const left = {};

function showTabs(view) {
  const namespace = link.read().parameters.get("ns");
  fill(tabs, Object.entries(VIEWS).map(([key, [title]]) => {
    const parameters = new URLSearchParams(left[key] ?? "");
    if (namespace) parameters.set("ns", namespace);
    return el("a", { href: link.href(key, parameters), "aria-current": key === view ? "page" : null }, title);
  }));
}

async function route() {
  const { view, parameters } = link.read();
  setNamespace(parameters.get("ns"));
  if (current.view === view) {
    // One that is still loading reads the address when it opens.
    current.shown?.show(parameters);
    return;
  }
  if (current.view) left[current.view] = current.parameters?.() ?? "";
  current.shown?.close();
  current = { view, shown: null };
  showTabs(view);
  fill(main);
  const known = VIEWS[view];
  if (!known) {
    fill(main, failed({ title: "There is no such view", message: bdi(`“${view}” is none of this page's views.`) }));
    return;
  }
  document.title = `${known[0]} · chunkwise`;
  main.dataset.view = view;
  const module = await known[1]();
  if (current.view !== view) return;
  const shown = module.open(main, link.read().parameters);
  current = { view, shown, parameters: () => shown.parameters?.().toString() ?? "" };
}

document.body.append(
  el("a", { class: "skip", href: "#main", on: { click: (event) => { event.preventDefault(); main.focus(); } } }, "Skip to the view"),
  el("header", { class: "top" },
    el("a", { class: "brand", href: "#/correlate", "aria-label": "chunkwise" }, mark(), el("span", {}, "chunkwise")),
    tabs,
    el("div", { class: "end" }, healthParts.light, el("a", { class: "button bare", href: "/api/docs" }, "API"), themeSwitch())),
  healthParts.banner,
  main,
);
addEventListener("hashchange", route);
watchHealth();
route();
