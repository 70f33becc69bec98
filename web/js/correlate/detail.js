// Two series side by side: rebased, pair by pair, and over a window that moves.

import { ask, Latest } from "../api.js";
import { bdi, button, el, fill, segments, select } from "../dom.js";
import { count, duration, pValue, r as shownR, seriesName, widthMs } from "../format.js";
import { rangeColour } from "../theme.js";
import { Scatter } from "../chart/squares.js";
import { TimeChart } from "../chart/timechart.js";
import { card, empty } from "../parts/states.js";
import { bounds, chartBucket, rangeBegin, rollingQuestion, windowQuestion } from "./question.js";

const WINDOWS = ["20", "40", "60", "120", "250"];

/// Of more buckets than so many, the pairs are neither asked for nor drawn.
const MOST_PAIRS = 20_000;

/// Over a window that moves the API has Pearson alone.
const ROLLING = { pearson: "Rolling correlation", spearman: "Rolling correlation, Pearson", ewma: "Rolling correlation, each window unweighted" };

export class Detail {
  #latest = new Latest();
  #key = null;
  #pair = null;
  #window = null;

  /// `shownRange(index)` when another range is looked at; `target(row)` when the other series is to be the target.
  constructor({ shownRange, target, explore }) {
    this.title = el("h2", {});
    this.tabs = el("div", {});
    this.stats = el("dl", { class: "stats" });
    this.makeTarget = button("Make it the target", () => target(this.row));
    this.explore = button("Explore both", () => explore([this.state.target, this.row.tags]), { class: "button bare" });
    this.overlay = new TimeChart("Both series, each beginning at 100", { height: 190 });
    this.scatter = new Scatter("Pairs of both series", 230);
    this.tooMany = el("p", { class: "muted", hidden: true }, `The range has more than ${count(MOST_PAIRS)} buckets: a shorter one, or wider buckets, are drawn pair by pair.`);
    this.rolling = new TimeChart("Rolling correlation", { height: 150, bounds: [-1, 1], format: (x) => shownR(x, 3) });
    this.legend = el("div", { class: "legend" });
    this.windows = select("Window of the rolling correlation", WINDOWS.map((one) => [one, `${one} buckets`]), "60",
      (value) => { this.#window = value; this.#key = null; this.show(this.state, this.row, this.id); }, { class: "select small plain" });
    this.shownRange = shownRange;
    this.rollingTitle = el("h3", {}, "Rolling correlation");
    this.charts = el("div", { class: "detail-charts" },
      el("div", {}, el("h3", {}, "Rebased to 100"), this.legend, this.overlay.element),
      el("div", {}, el("h3", {}, "Pair by pair"), this.scatter.element, this.tooMany),
      el("div", {}, el("div", { class: "chart-line" }, this.rollingTitle, this.windows), this.rolling.element));
    this.nothing = empty("Pick a row", "It is drawn here beside the chosen series: over time, pair by pair, and over a window that moves.");
    this.card = card(this.title, { id: "detail", label: "The two series", end: [this.explore, this.makeTarget] }, this.nothing);
    this.element = this.card.element;
    this.clear();
  }

  clear() {
    this.row = null;
    this.#key = this.#pair = null;
    fill(this.title, "Side by side");
    this.makeTarget.hidden = this.explore.hidden = true;
    fill(this.card.body, this.nothing);
    this.card.place.ready();
    this.element.dataset.state = "empty";
  }

  /// Another table is asked for, and what is asked here would be in its way: it is asked again once that is there.
  hold() {
    this.#latest.stop();
    this.#key = null;
    this.card.place.rest();
  }

  /// `id` is the target's, `row` the ranking's.
  show(state, row, id) {
    Object.assign(this, { state, row, id });
    const index = Math.min(state.shownRange, state.ranges.length - 1);
    const range = state.ranges[index];
    if (!range || !row.cells[index]) return;
    fill(this.title, bdi(row.name), el("span", { class: "muted" }, " with "), bdi(seriesName(state.target)));
    this.makeTarget.hidden = this.explore.hidden = false;
    if (!this.card.body.contains(this.charts)) fill(this.card.body, this.tabs, this.stats, this.charts);
    fill(this.tabs, state.ranges.length > 1
      ? segments("Range", state.ranges.map((one, at) => [String(at), rangeBegin(one), `var(--${rangeColour(at)})`]), String(index), (value) => this.shownRange(Number(value))) : null);
    this.#drawStats(row.cells[index], range);
    this.rollingTitle.textContent = ROLLING[state.method];
    const tint = rangeColour(index);
    const key = JSON.stringify([state.namespace, state.measurement, state.field, state.bucket, state.transform, id, row.id, range, this.#window, row.cells[index]]);
    if (key === this.#key) return;
    this.#key = key;
    // Another pair is wanted at once; the same with newer values can wait for the answer that is under way.
    const pair = JSON.stringify([state.namespace, state.measurement, state.field, state.bucket, state.transform, id, row.id, index]);
    const isOther = pair !== this.#pair;
    this.#pair = pair;
    if (isOther || !state.live) this.card.place.busy();
    this.#latest.run((signal) => this.#load(state, range, tint, signal), { abort: isOther });
  }

  #drawStats(cell, range) {
    const { from, to } = bounds(range);
    const facts = [["r", shownR(cell.r)], ["95 %", cell.ci95 ? cell.ci95.map((one) => shownR(one, 3)).join(" … ") : "–"], ["p", pValue(cell.p_value)], ["n", count(cell.n)], ["over", duration(to - from)]];
    fill(this.stats, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  }

  async #load(state, range, tint, signal) {
    const { id, row } = this;
    const { place } = this.card;
    try {
      const ids = [id, row.id];
      const n = row.cells[Math.min(state.shownRange, row.cells.length - 1)]?.n ?? 0;
      const window = this.#window ?? WINDOWS.findLast((one) => Number(one) <= n / 4) ?? WINDOWS[0];
      this.windows.value = window;
      const { from, to } = bounds(range);
      const least = chartBucket(to - from, 1200, state.bucket);
      const isTooMany = (to - from) / widthMs(state.bucket) > MOST_PAIRS;
      const step = Math.max(1, Math.ceil(n / 1500));
      const [levels, changes, rolling] = await Promise.all([
        ask("window", windowQuestion(state, range, ids, { transform: "level", bucket: least }), { signal }),
        isTooMany ? null : ask("window", windowQuestion(state, range, ids), { signal }),
        ask("correlate/rolling", { ...rollingQuestion(state, range, id, [row.id], Number(window)), step }, { signal }),
      ]);
      const names = { [id]: seriesName(state.target), [row.id]: row.name };
      this.#drawOverlay(levels, ids, names, tint, widthMs(least));
      this.scatter.element.hidden = isTooMany;
      this.tooMany.hidden = !isTooMany;
      if (changes) this.#drawScatter(changes, ids, names, tint);
      const values = rolling.results[0]?.r ?? [];
      this.rolling.show([{ name: "r", tint, times: rolling.times.map(Date.parse), values: values.map((one) => one ?? NaN) }], { width: widthMs(state.bucket), domain: [from, to] });
      place.ready();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.#key = null;
      place.failed(error, () => this.show(this.state, this.row, this.id));
    }
  }

  #drawScatter(answer, ids, names, tint) {
    const [xs, ys] = ids.map((id) => answer.values[answer.series.findIndex(({ series_id }) => series_id === id)] ?? []);
    this.scatter.show(xs, ys, { x: names[ids[0]], y: names[ids[1]], tint });
  }

  #drawOverlay(answer, ids, names, tint, width) {
    const times = answer.times.map(Date.parse);
    const rows = ids.map((id) => answer.values[answer.series.findIndex(({ series_id }) => series_id === id)] ?? []);
    const first = times.findIndex((_, i) => rows.every((row) => Number.isFinite(row[i]) && row[i] > 0));
    const tints = ["muted", tint];
    const lines = rows.map((row, k) => ({
      name: names[ids[k]], tint: tints[k], times, values: row.map((one) => (first < 0 || one === null ? NaN : (one / row[first]) * 100)),
    }));
    this.overlay.show(lines, { width });
    fill(this.legend, lines.map((line) => el("span", {}, el("i", { class: "swatch line", tint: `var(--${line.tint})` }), bdi(line.name))));
  }

  close() {
    this.#latest.stop();
    for (const chart of [this.overlay, this.scatter, this.rolling]) chart.close();
    this.card.place.close();
  }
}
