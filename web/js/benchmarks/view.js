// Benchmarks: the reports that this machine has kept, one or two of them figure by figure.

import { Latest, list } from "../api.js";
import { bdi, button, el, fill, segments } from "../dom.js";
import { count } from "../format.js";
import * as link from "../link.js";
import { card } from "../parts/states.js";
import { Plot } from "../chart/plot.js";
import { Around, partNotes } from "./around.js";
import { charts, hasLive } from "./charts.js";
import { figures, haveCommon, VERDICTS } from "./compare.js";
import { Figures } from "./figures.js";
import { Reports } from "./reports.js";

const KINDS = ["all", ...Object.keys(VERDICTS)];

export const open = (main, parameters) => new Benchmarks(main, parameters);

class Benchmarks {
  #latest = new Latest();
  #read = new Map();
  #plots = [];
  #shown = null;

  constructor(main, parameters) {
    this.reports = new Reports((which, name) => this.#choose(which, name), () => this.start());
    this.around = new Around();
    this.aroundCard = card("Environment", { id: "environments", label: "Where they were measured" }, this.around.element);
    this.moment = el("div", {});
    this.plots = el("div", { class: "plots" });
    this.chartsCard = card("Charts", { id: "report-charts", end: [this.moment] }, this.plots);
    this.filter = el("input", {
      class: "input small filter", type: "search", placeholder: "Filter", "aria-label": "Filter figures by name", spellcheck: "false", id: "figure-filter",
      on: { input: (event) => this.#change({ filter: event.target.value }) },
    });
    this.figures = new Figures((kind) => this.#change({ kind }));
    this.summary = el("span", { class: "muted", role: "status" });
    this.swap = button("Swap A and B", () => this.#change({ a: this.state.b, b: this.state.a }), { class: "button bare" });
    this.meaning = el("footer", {});
    this.card = card(el("div", { class: "with-count" }, el("h2", {}, "Figures"), this.summary), { id: "figures-of-reports", label: "Figures", end: [this.figures.kinds, this.swap, this.filter], footer: this.meaning }, this.figures.element);
    this.others = [this.chartsCard.element, this.card.element];
    this.page = el("div", { class: "benchmarks" }, el("div", { class: "columns" }, this.reports.element, this.aroundCard.element), ...this.others);
    fill(main, el("h1", { class: "unseen" }, "Benchmarks"), this.page);
    this.look = () => { if (!document.hidden) this.start(); };
    document.addEventListener("visibilitychange", this.look);
    this.show(parameters);
    this.start();
  }

  show(parameters) {
    const kind = parameters.get("show");
    this.state = { a: parameters.get("a"), b: parameters.get("b"), filter: parameters.get("filter") ?? "", kind: KINDS.includes(kind) ? kind : "all", live: parameters.get("live") === "1" };
    this.namespace = parameters.get("ns");
    if (this.listed) this.#draw();
  }

  parameters() {
    const parameters = new URLSearchParams();
    const { a, b, filter, kind, live } = this.state;
    for (const [name, value] of [["ns", this.namespace], ["a", a], ["b", b], ["filter", filter], ["show", kind === "all" ? "" : kind], ["live", live ? "1" : ""]]) if (value) parameters.set(name, value);
    return parameters;
  }

  async start() {
    this.reports.card.place.busy();
    try {
      this.listed = (await list("reports")).reports;
      // Who has left the view has another address by now.
      if (!this.closed) this.#draw();
    } catch (error) {
      for (const part of [this.aroundCard.element, ...this.others]) part.hidden = true;
      this.reports.failed(error);
    }
  }

  #choose(which, name) {
    const chosen = { a: this.state.a, b: this.state.b };
    const other = which === "a" ? "b" : "a";
    // One report is not beside itself: where it was comes the one that it replaces, if that is still there.
    if (name && chosen[other] === name) chosen[other] = this.listed.some((report) => report.name === chosen[which]) ? chosen[which] : null;
    chosen[which] = name;
    if (!chosen.a) [chosen.a, chosen.b] = [chosen.b, null];
    this.#change(chosen, true);
  }

  #change(changes, step = false) {
    Object.assign(this.state, changes);
    link.write("benchmarks", this.parameters(), { step });
    this.#draw();
  }

  #draw() {
    const { listed, state } = this;
    // The newest, if nothing is chosen.
    if (!state.a && listed.length) {
      state.a = listed[0].name;
      link.write("benchmarks", this.parameters());
    }
    this.reports.show(listed, state);
    const isAny = Boolean(state.a);
    for (const part of [this.aroundCard.element, ...this.others]) part.hidden = !isAny;
    // Until there is something to draw in it.
    if (!this.#plots.length) this.chartsCard.element.hidden = true;
    this.page.classList.toggle("alone", !isAny);
    if (document.activeElement !== this.filter) this.filter.value = state.filter;
    this.swap.hidden = !state.b;
    if (!isAny) return;
    const key = JSON.stringify([state.a, state.b]);
    if (key === this.#shown) this.#drawFigures();
    else this.#latest.run((signal) => this.#load(key, signal), { abort: true });
  }

  async #load(key, signal) {
    const { place } = this.card;
    place.busy();
    try {
      const [a, b] = await Promise.all([this.state.a, this.state.b].map((name) => name && this.#report(name, signal)));
      const compared = b && haveCommon(a, b) ? await list(`reports/${encodeURIComponent(this.state.a)}`, { against: this.state.b }, { signal }) : null;
      this.pair = [a, b];
      this.rows = figures(this.pair, compared);
      this.#shown = key;
      this.around.show(a, b);
      this.aroundCard.place.ready();
      this.#drawCharts();
      this.#drawFigures();
      place.ready();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.#shown = null;
      for (const part of [this.aroundCard.element, this.chartsCard.element]) part.hidden = true;
      place.failed(error, () => this.#draw());
    }
  }

  /// A report does not change.
  async #report(name, signal) {
    if (!this.#read.has(name)) {
      const report = await list(`reports/${encodeURIComponent(name)}`, {}, { signal });
      this.#read.set(name, { ...report, benchmark: name.split("-")[0] });
    }
    return this.#read.get(name);
  }

  #drawCharts() {
    for (const plot of this.#plots) plot.close();
    const { live } = this.state;
    const isEither = hasLive(this.pair);
    fill(this.moment, isEither ? segments("When", [["", "At rest"], ["1", "While rows come in"]], live ? "1" : "", (value) => { this.#change({ live: value === "1" }); this.#drawCharts(); }) : null);
    const drawn = charts(this.pair, { live: live && isEither });
    this.#plots = [];
    fill(this.plots, drawn.map(({ title, x, y, lines }) => {
      const plot = new Plot(`${title}: ${lines.map(({ name }) => name).join("; ")}`, 230);
      this.#plots.push(plot);
      plot.show(lines, { x, y });
      return el("figure", {}, el("figcaption", {}, el("h3", {}, title), el("span", { class: "muted" }, y.label)), plot.element,
        el("div", { class: "legend" }, lines.map(({ name, tint, dash }) => el("span", {}, el("i", { class: `swatch line${dash.length ? " dashed" : ""}`, tint: `var(--${tint})` }), bdi(name)))));
    }));
    this.chartsCard.element.hidden = !drawn.length;
    this.chartsCard.place.ready();
  }

  #drawFigures() {
    const { rows, pair: [a, b], state } = this;
    const notes = partNotes(b ?? a);
    this.figures.draw(rows, { isPair: Boolean(b), filter: state.filter, kind: state.kind, notes });
    const both = rows.filter(({ verdict }) => verdict).length;
    this.summary.textContent = b ? `${count(both)} in both` : count(rows.length);
    const published = (b ?? a).published;
    fill(this.meaning, el("p", {}, b
      ? both
        ? "Better and worse are said of B, as `chunkwise bench compare` says it: where the intervals that hold each median with 95 % probability do not touch, and the change is greater than that of the controls of both runs, which is the machine’s. Else the change is within the noise. Of few samples, of counts, and of what is not the middle of its samples nothing is said."
        : "These reports have no figure in common: choose two of the same benchmark."
      : "A figure is the median of its samples, unless its name says otherwise. Choose a second report with B to see what has changed."),
    published ? el("p", {}, `Published, not measured here: ${published.what} took ${published.seconds.join(" to ")} s (${published.software}).`) : null);
  }

  close() {
    this.closed = true;
    document.removeEventListener("visibilitychange", this.look);
    this.#latest.stop();
    for (const plot of this.#plots) plot.close();
    for (const part of [this.reports.card, this.aroundCard, this.chartsCard, this.card]) part.place.close();
  }
}
