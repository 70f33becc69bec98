// The target and those ranked first, all with all.

import { ask, Latest } from "../api.js";
import { bdi, el, fill, segments, select } from "../dom.js";
import { count, r as shownR, seriesName } from "../format.js";
import { rangeColour } from "../theme.js";
import { HeatMap } from "../chart/squares.js";
import { card } from "../parts/states.js";
import { matrixQuestion, rangeBegin } from "./question.js";

/// So many of the strongest pairs are listed beside the map.
const PAIRS = 20;

export class Heat {
  #latest = new Latest();
  #key = null;
  #series = [];
  #top = "20";

  /// `pick(target, other)` when a cell is clicked; `shownRange(index)` when another range is looked at.
  constructor({ pick, shownRange }) {
    this.pick = (i, k) => { if (i !== k) pick(this.#series[i], this.#series[k]); };
    this.map = new HeatMap("Heat map", this.pick);
    this.pairs = el("tbody");
    this.note = el("span", { class: "muted" });
    this.tabs = el("div", {});
    this.shownRange = shownRange;
    const tops = select("Series in the heat map", ["10", "20", "40", "80", "160"].map((one) => [one, `Top ${one}`]), this.#top,
      (value) => { this.#top = value; this.refresh(); }, { class: "select small", id: "heat-top" });
    this.scale = el("div", { class: "heat-scale", "aria-hidden": "true" }, "−1", el("i"), "+1");
    const pairs = el("div", { class: "pairs" }, el("h3", {}, "Strongest pairs"), el("table", { class: "data", "aria-label": "Strongest pairs" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Pair"), el("th", { scope: "col", class: "number" }, "r"), el("th", { scope: "col", class: "number" }, "n"))), this.pairs));
    this.card = card(el("div", { class: "with-count" }, el("h2", {}, "Heat map"), this.note), { label: "Heat map", id: "heat", end: [this.tabs, tops] }, el("div", { class: "heat-columns" }, el("div", {}, this.map.element, this.scale), pairs));
    this.element = this.card.element;
  }

  show(state, rows, id) {
    Object.assign(this, { state, rows, id });
    this.refresh();
  }

  /// Another table is asked for, and what is asked here would be in its way: it is asked again once that is there.
  hold() {
    this.#latest.stop();
    this.#key = null;
    this.card.place.rest();
  }

  clear() {
    this.state = this.#key = null;
    this.card.place.empty("Nothing to compare", "The series and those ranked first are drawn here, all with all.");
  }

  refresh() {
    const { state, rows, id } = this;
    if (!state) return;
    const index = Math.min(state.shownRange, state.ranges.length - 1);
    fill(this.tabs, state.ranges.length > 1
      ? segments("Range of the heat map", state.ranges.map((one, at) => [String(at), rangeBegin(one), `var(--${rangeColour(at)})`]), String(index), (value) => this.shownRange(Number(value))) : null);
    const ids = [id, ...rows.slice(0, Number(this.#top)).map((row) => row.id)].sort((a, b) => a - b);
    if (ids.length < 2) return this.card.place.empty("Nothing to compare", "A heat map needs two series.");
    const question = matrixQuestion(state, state.ranges[index], ids);
    // While data stream in, the same question has another answer.
    const key = JSON.stringify([question, rows[0]?.cells[index]?.r]);
    if (key === this.#key) return;
    this.#key = key;
    this.note.textContent = state.method === "ewma" ? "all of the range alike: unlike the table it knows no weights" : "";
    this.#latest.run((signal) => this.#load(question, signal));
  }

  async #load(question, signal) {
    const { place } = this.card;
    if (!this.state?.live) place.busy();
    try {
      const { series, order, r, n } = await ask("correlate/matrix", question, { signal });
      this.#series = order.map((at) => series[at]);
      this.map.show(this.#series.map(({ tags }) => seriesName(tags)), order.map((i) => order.map((k) => r[i][k])), order.map((i) => order.map((k) => n[i][k])));
      this.#drawPairs(order, r, n);
      place.ready();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.#key = null;
      place.failed(error, () => this.refresh());
    }
  }

  #drawPairs(order, r, n) {
    const pairs = [];
    order.forEach((i, a) => order.slice(0, a).forEach((k, b) => { if (r[i][k] !== null) pairs.push({ a, b, r: r[i][k], n: n[i][k] }); }));
    pairs.sort((one, other) => Math.abs(other.r) - Math.abs(one.r));
    const name = (at) => bdi(seriesName(this.#series[at].tags));
    fill(this.pairs, pairs.slice(0, PAIRS).map((pair) => {
      const show = () => this.pick(pair.a, pair.b);
      return el("tr", { class: "small", tabindex: "0", on: { click: show, keydown: (event) => { if (event.key === "Enter") show(); } } },
        el("td", {}, name(pair.a), el("span", { class: "muted" }, " × "), name(pair.b)), el("td", { class: "number" }, shownR(pair.r)), el("td", { class: "number muted" }, count(pair.n)));
    }));
  }

  close() {
    this.#latest.stop();
    this.map.close();
    this.card.place.close();
  }
}
