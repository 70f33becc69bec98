// Explore: values of some series over time, as lines or as bars of prices. Looking closer asks for finer buckets.

import { ask, Latest, list, seriesOf } from "../api.js";
import { bdi, el, field, fill, icon, iconButton, ICONS, menu, segments, select, setOptions, toggle } from "../dom.js";
import { iso, parseTime, sameTags, seriesName, shortTime, widthFor, widthMs } from "../format.js";
import * as link from "../link.js";
import { onRecovery, suspect } from "../health.js";
import { rangeColour } from "../theme.js";
import { TimeChart } from "../chart/timechart.js";
import { card, empty, failed, loading, titleOf } from "../parts/states.js";
import { Picker } from "../parts/picker.js";
import { chartBucket, complete, isLive, numeric, presets, span } from "../correlate/question.js";
import { Figures } from "./figures.js";
import { Lens } from "./lens.js";

const MOST = 8;
const LIVE_MS = 2000;
/// A bar of prices spans so many of the usual buckets, or there is nothing between its least and greatest.
const LEAST_BAR = 5;
const GLASS = "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.800 10.800 14 14";
const SCALES = [["linear", "Linear"], ["log", "Logarithmic"], ["rebased", "Rebased to 100"]];

export const open = (main, parameters) => new Explore(main, parameters);

function fromParameters(parameters) {
  const series = parameters.getAll("series").map((text) => { try { return JSON.parse(text); } catch { return null; } });
  return {
    namespace: parameters.get("ns"), measurement: parameters.get("m"), field: parameters.get("f"), bucket: null, ranges: [{ from: 0, to: 1 }],
    // Ids are looked up by the tags: `undefined` until then, `null` if there is no such series.
    series: series.filter((tags) => tags && typeof tags === "object").slice(0, MOST).map((tags) => ({ id: undefined, tags })),
    from: parseTime(parameters.get("from") ?? ""), to: parseTime(parameters.get("to") ?? ""),
    kind: parameters.get("kind") === "candles" ? "candles" : "lines",
    scale: SCALES.some(([key]) => key === parameters.get("scale")) ? parameters.get("scale") : "linear",
    live: parameters.get("live") === "1",
  };
}

class Explore {
  #latest = new Latest();
  #key = null;
  #turn = 0;

  constructor(main, parameters) {
    this.main = main;
    this.stopRecovery = onRecovery(() => { if (!this.info) this.start(); });
    this.timer = setInterval(() => { if (this.info && this.state.live && !document.hidden) this.#follow(); }, LIVE_MS);
    this.#build();
    this.show(parameters);
  }

  #build() {
    this.measurement = select("Measurement", [], "", (measurement) => { Object.assign(this.state, { measurement, field: null, series: [], from: NaN, to: NaN }); this.#choose(); }, { id: "measurement" });
    this.fieldSelect = select("Field", [], "", (name) => this.update({ field: name }), { id: "field" });
    this.scale = select("Scale", SCALES, "linear", (scale) => this.update({ scale }), { id: "scale" });
    this.picker = new Picker("Add a series", ({ series_id: id, tags }) => {
      const known = this.state.series.some((one) => one.id === id);
      if (!known) this.update({ series: [...this.state.series, { id, tags }].slice(-MOST) });
      this.picker.show(this.state.measurement, null);
    });
    this.kinds = el("div", {});
    this.chart = new TimeChart("Values over time", { height: 420 });
    this.lens = new Lens(this.chart, { zoom: (range) => this.update(range, { step: true }), out: () => this.#zoomOut() });
    this.when = el("span", { class: "muted", id: "shown-range", role: "status" });
    this.live = toggle("Live", false, (live) => this.update({ live }));
    const times = menu("Time", () => this.#presets(), {}, el("span", {}, "Time"), icon(ICONS.open));
    this.card = card(el("div", { class: "with-count" }, this.kinds, this.when), {
      id: "explore-chart", label: "Values over time",
      end: [this.live, times, iconButton("Look closer", `${GLASS}M5 7h4M7 5v4`, () => this.#zoomIn(), { id: "zoom-in" }),
        iconButton("Look wider", `${GLASS}M5 7h4`, () => this.#zoomOut(), { id: "zoom-out" })],
    }, this.chart.element);
    this.figures = new Figures(({ tags }) => this.update({ series: this.state.series.filter((one) => !sameTags(one.tags, tags)) }));
    this.figuresCard = card("What is shown", { id: "figures" }, this.figures.element);
    this.page = el("div", { class: "explore" },
      el("div", { class: "question", role: "search", "aria-label": "What to look at" },
        field("Add a series", this.picker.element, { class: "field series" }), field("Measurement", this.measurement), field("Field", this.fieldSelect), field("Scale", this.scale)),
      this.card.element, this.figuresCard.element);
  }

  show(parameters) {
    const before = this.state;
    const state = fromParameters(parameters);
    const isSame = before && state.measurement === before.measurement && state.namespace === before.namespace;
    // What is known already is not looked up again.
    if (isSame) for (const one of state.series) one.id = before.series.find(({ tags }) => sameTags(tags, one.tags))?.id;
    this.state = state;
    if (this.info && isSame) this.#choose();
    else this.start();
  }

  parameters() {
    const { state } = this;
    const parameters = new URLSearchParams();
    for (const [name, value] of [["ns", state.namespace], ["m", state.measurement], ["f", state.field]]) if (value) parameters.set(name, value);
    for (const { tags } of state.series) parameters.append("series", JSON.stringify(tags));
    if (!state.live) for (const edge of ["from", "to"]) if (Number.isFinite(state[edge])) parameters.set(edge, shortTime(state[edge]).replace(" ", "T"));
    if (state.kind !== "lines") parameters.set("kind", state.kind);
    if (state.scale !== "linear") parameters.set("scale", state.scale);
    if (state.live) parameters.set("live", "1");
    return parameters;
  }

  /// A question that begins: the answer says whether it is still wanted, as the view may be left while it is awaited, or be
  /// shown another one.
  #begin() {
    const turn = (this.#turn += 1);
    return () => turn === this.#turn;
  }

  async start() {
    const isWanted = this.#begin();
    this.info = null;
    fill(this.main, el("h1", { class: "unseen" }, "Explore"), loading(420));
    try {
      const { measurements } = await list("measurements");
      if (!isWanted()) return;
      this.measurements = measurements;
    } catch (error) {
      if (isWanted()) this.#instead(error);
      return;
    }
    await this.#choose();
  }

  #instead(error) {
    this.info = null;
    if (error.passing) suspect();
    fill(this.main, el("h1", { class: "unseen" }, "Explore"), el("div", { class: "card" }, failed({ title: titleOf(error), message: error.message, code: error.code, retry: () => this.start() })));
  }

  async #choose() {
    const isWanted = this.#begin();
    const info = complete(this.state, this.measurements);
    if (!info) {
      fill(this.main, el("h1", { class: "unseen" }, "Explore"), el("div", { class: "card" }, this.state.measurement
        ? failed({ title: "There is no such measurement", message: bdi(`Nothing is stored as “${this.state.measurement}”.`), retry: () => { this.state.measurement = null; this.start(); } })
        : empty("Nothing is stored yet", "Write a line, load a file, or start with --demo.")));
      return;
    }
    try {
      await this.#findSeries(info);
    } catch (error) {
      if (isWanted()) this.#instead(error);
      return;
    }
    if (!isWanted()) return;
    this.info = info;
    const covered = span(info);
    if (covered && !(this.state.from < this.state.to)) {
      const to = isLive(info) ? Date.now() : covered.to + widthMs(this.state.bucket);
      const from = isLive(info) ? Math.max(covered.from, to - 900_000) : covered.from;
      Object.assign(this.state, { from, to });
    }
    fill(this.main, el("h1", { class: "unseen" }, "Explore"), this.page);
    this.update({});
  }

  /// The series that the tags name, or the first that there is.
  async #findSeries(info) {
    const { state } = this;
    if (!state.series.length) {
      const { series } = await list("series", { measurement: info.name, limit: 1 });
      state.series = series.map(({ series_id: id, tags }) => ({ id, tags }));
    }
    await Promise.all(state.series.map(async (one) => {
      if (one.id === undefined) one.id = (await seriesOf(info, one.tags))?.series_id ?? null;
    }));
  }

  update(changes, { step = false } = {}) {
    Object.assign(this.state, changes);
    if (this.state.live && "from" in changes) this.state.live = false;
    const { state, info } = this;
    setOptions(this.measurement, this.measurements.map(({ name }) => [name, name]), state.measurement);
    setOptions(this.fieldSelect, numeric(info).map((name) => [name, name]), state.field);
    this.scale.value = state.scale;
    this.picker.show(state.measurement, null);
    this.live.querySelector("input").checked = state.live;
    this.live.hidden = !isLive(info);
    fill(this.kinds, segments("Kind of chart", [["lines", "Lines"], ["candles", "Candles"]], state.kind, (kind) => this.update({ kind })));
    link.write("explore", this.parameters(), { step });
    this.#ask();
  }

  #presets() {
    return presets(this.info, this.state.bucket).filter(({ ranges }) => ranges.length === 1).map(({ text, ranges: [range] }) => {
      const { from, to } = range.last ? { from: Date.now() - widthMs(range.last), to: Date.now() } : range;
      return { text, press: () => this.update({ from, to }, { step: true }) };
    });
  }

  #zoomIn() {
    const { from, to } = this.state;
    this.update({ from: from + (to - from) / 4, to: to - (to - from) / 4 }, { step: true });
  }

  #zoomOut() {
    const covered = span(this.info);
    if (!covered) return;
    const { from, to } = this.state;
    const end = isLive(this.info) ? Date.now() : covered.to + widthMs(this.state.bucket);
    const half = (to - from) / 2;
    this.update({ from: Math.max(covered.from, from - half), to: Math.min(end, to + half) }, { step: true });
  }

  #follow() {
    const length = this.state.to - this.state.from;
    Object.assign(this.state, { from: Date.now() - length, to: Date.now() });
    this.info.to = iso(Date.now());
    this.#ask();
  }

  #ask() {
    const { state } = this;
    if (!state.series.length || !(state.from < state.to)) {
      this.card.place.empty(state.from < state.to ? "No series chosen" : "No rows yet", "Search for one above.");
      this.figures.show([], []);
      return;
    }
    const isBars = state.kind === "candles";
    const pixels = this.chart.element.clientWidth || 1200;
    const bucket = chartBucket(state.to - state.from, isBars ? pixels / 20 : pixels / 1.8, isBars ? widthFor(LEAST_BAR * Math.max(1000, widthMs(state.bucket))) : state.bucket);
    const key = JSON.stringify([state.namespace, state.measurement, state.field, state.series, state.from, state.to, state.kind, bucket]);
    if (key === this.#key) return this.#draw();
    this.#key = key;
    this.#latest.run((signal) => this.#load(bucket, isBars, signal), { abort: !state.live });
  }

  async #load(bucket, isBars, signal) {
    const { state } = this;
    const { place } = this.card;
    if (!state.live) place.busy();
    const shared = { measurement: state.measurement, from: iso(Math.floor(state.from)), to: iso(Math.ceil(state.to)), bucket };
    try {
      const shown = state.series.slice(0, isBars ? 1 : MOST);
      const answers = await Promise.all(shown.map(({ id }) => {
        if (!Number.isInteger(id)) return { times: [], values: [], bars: [] };
        const question = { ...shared, series: { series_id: id } };
        return isBars ? ask("bars", question, { signal }) : ask("window", { ...question, field: state.field }, { signal });
      }));
      this.shown = { bucket, isBars, domain: [state.from, state.to], answers, series: shown };
      this.#draw();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.#key = null;
      place.failed(error, () => this.#ask());
    }
  }

  #draw() {
    if (!this.shown) return;
    const { bucket, isBars, domain, answers, series } = this.shown;
    const width = widthMs(bucket);
    const lines = isBars ? [] : answers.map((answer, k) => ({
      name: seriesName(series[k].tags), tint: rangeColour(k), times: answer.times.map(Date.parse), values: (answer.values[0] ?? []).map((one) => one ?? NaN),
    }));
    const candles = isBars ? candlesOf(answers[0].bars) : null;
    this.element = this.card.element;
    this.element.dataset.bucket = bucket;
    this.when.textContent = `${shortTime(Math.floor(domain[0] / 1000) * 1000)} – ${shortTime(Math.floor(domain[1] / 1000) * 1000)}, buckets of ${bucket}`;
    this.chart.log = this.state.scale === "log";
    this.chart.show(this.state.scale === "rebased" ? lines.map(rebased) : lines, { domain, width, candles });
    this.figures.show(isBars ? [{ name: seriesName(series[0].tags), tint: "good", values: candles.close }] : lines, series);
    const some = isBars ? candles.times.length : lines.some(({ values }) => values.some(Number.isFinite));
    this.chart.surface.label(`${lines.length || 1} series over time, in buckets of ${bucket}`);
    if (some) this.card.place.ready();
    else if (isBars && answers[0].bars.length) this.card.place.empty("No bars of prices", "The measurement has no field that is a price; lines show its fields.");
    else this.card.place.empty("No values here", "There are none in this time. Look at a longer one, or another series.");
  }

  close() {
    this.#begin();
    clearInterval(this.timer);
    this.stopRecovery();
    this.#latest.stop();
    this.chart.close();
    this.card.place.close();
  }
}

function rebased(line) {
  const first = line.values.find((one) => Number.isFinite(one) && one !== 0);
  return { ...line, values: line.values.map((one) => (one / first) * 100) };
}

function candlesOf(bars) {
  const whole = bars.filter((bar) => ["open", "high", "low", "close"].every((name) => Number.isFinite(bar[name])));
  const column = (name) => whole.map((bar) => bar[name]);
  return { times: whole.map((bar) => Date.parse(bar.time)), open: column("open"), high: column("high"), low: column("low"), close: column("close") };
}

