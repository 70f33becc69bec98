// The chosen series over its whole time or a part of it, with the ranges upon it.

import { ask, Latest } from "../api.js";
import { el, iconButton } from "../dom.js";
import { seriesName, widthMs } from "../format.js";
import { RangeLayer } from "../chart/ranges.js";
import { TimeChart } from "../chart/timechart.js";
import { Place } from "../parts/states.js";
import { bounds, chartBucket, isLive, MOST_RANGES, snapTo, span, windowQuestion } from "./question.js";

const WHOLE = "M2 6V2.5h3.500M14 6V2.500h-3.500M2 10v3.500h3.500M14 10v3.500h-3.500";
const FIT = "M2 3v10M14 3v10M5 8h6M7 5.500 4.500 8 7 10.500M9 5.500 11.500 8 9 10.500";

export class SeriesChart {
  #latest = new Latest();
  #key = null;
  #timer = null;

  /// `change(index, range, isDone)`, `remove(index)`, `zoom({from, to} or null)`.
  constructor({ change, remove, zoom }) {
    this.zoom = zoom;
    this.chart = new TimeChart("The series over time", { height: 260, log: true });
    this.layer = new RangeLayer(this.chart, { change, remove, snap: (ms) => this.snap(ms), most: MOST_RANGES });
    this.element = el("div", { class: "series-chart" }, this.chart.element);
    this.place = new Place(this.element);
    this.chart.element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.buttons = [
      iconButton("Show the ranges", FIT, () => this.#fit(), { id: "fit" }),
      iconButton("Show the whole time", WHOLE, () => this.zoom(null), { id: "whole" }),
    ];
  }

  show(state, info, { fresh = false } = {}) {
    Object.assign(this, { state, info });
    this.snap = snapTo(state.bucket);
    this.buttons[1].disabled = !state.zoom;
    this.buttons[0].disabled = !state.ranges.length;
    const domain = this.#domain();
    if (!domain) {
      this.place.empty("No rows yet", "As soon as there are some, they are drawn here.");
      return;
    }
    const moved = !this.chart.domain || this.chart.domain.some((at, i) => at !== domain[i]);
    this.chart.domain = domain;
    this.layer.show(state.ranges.map((range) => bounds(range)), 2 * widthMs(state.bucket));
    if (moved) this.chart.surface.redraw();
    // As it was drawn last: to ask the element would lay out the page at each move of the hand.
    const width = this.chart.surface.width || this.chart.element.clientWidth || 1200;
    const bucket = chartBucket(domain[1] - domain[0], width, state.bucket);
    const edge = state.zoom ? domain : null;
    const key = JSON.stringify([state.namespace, state.measurement, state.field, state.targetId, bucket, edge]);
    if (state.targetId === null) {
      this.#key = null;
      this.place.empty(state.target ? "There is no such series" : "There are no series", "");
    }
    if ((key === this.#key && !fresh) || !Number.isInteger(state.targetId)) return;
    this.#key = key;
    clearTimeout(this.#timer);
    // While the wheel turns, what is there is drawn at the new scale.
    this.#timer = setTimeout(() => this.#latest.run((signal) => this.#load(domain, bucket, fresh, signal)), edge && !fresh ? 120 : 0);
  }

  #domain() {
    const { state, info } = this;
    const covered = span(info);
    if (!covered) return null;
    if (state.zoom) return [state.zoom.from, state.zoom.to];
    const to = isLive(info) ? Date.now() : covered.to;
    return [covered.from, Math.max(to, covered.from + widthMs(state.bucket))];
  }

  async #load(domain, bucket, fresh, signal) {
    const { state } = this;
    const width = widthMs(bucket);
    if (!fresh) this.place.busy();
    try {
      const range = { from: Math.floor(domain[0]), to: Math.ceil(domain[1] + width) };
      const question = { ...windowQuestion(state, range, [state.targetId]), bucket, transform: "level" };
      const answer = await ask("window", question, { signal });
      const times = answer.times.map(Date.parse);
      const values = (answer.values[0] ?? []).map((one) => one ?? NaN);
      const name = seriesName(state.target);
      this.chart.surface.label(`${name}, ${state.field}: ${times.length} buckets of ${bucket}`);
      this.chart.show([{ name, tint: "ink", times, values }], { domain: this.#domain(), width });
      this.element.dataset.buckets = String(times.length);
      if (values.some(Number.isFinite)) this.place.ready();
      else this.place.empty("No values here", "The series has none in this time.");
    } catch (error) {
      if (error.name === "AbortError") throw error;
      this.#key = null;
      this.place.failed(error, () => this.show(this.state, this.info));
    }
  }

  #wheel(event) {
    if (!this.chart.domain || !this.info) return;
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    // Up and down alone scrolls the page; with a key held it zooms.
    if (!sideways && !event.ctrlKey && !event.metaKey && !event.shiftKey) return;
    event.preventDefault();
    const [from, to] = this.chart.domain;
    const whole = span(this.info);
    const end = isLive(this.info) ? Date.now() : whole.to;
    const at = this.chart.toTime(event.clientX - this.chart.element.getBoundingClientRect().left);
    const turned = sideways ? event.deltaX : event.deltaY;
    const factor = sideways || event.shiftKey ? 1 : Math.exp(Math.max(-1, Math.min(1, turned / 200)));
    const by = sideways || event.shiftKey ? (turned / 1000) * (to - from) : 0;
    const length = Math.max((to - from) * factor, 20 * widthMs(this.state.bucket));
    if (length >= end - whole.from) return this.zoom(null);
    const start = Math.min(Math.max(at - (at - from) * (length / (to - from)) + by, whole.from), end - length);
    this.zoom({ from: Math.round(start / 1000) * 1000, to: Math.round((start + length) / 1000) * 1000 });
  }

  #fit() {
    const all = this.state.ranges.map((range) => bounds(range));
    const from = Math.min(...all.map((range) => range.from));
    const to = Math.max(...all.map((range) => range.to));
    const pad = (to - from) * 0.15;
    this.zoom({ from: Math.round((from - pad) / 1000) * 1000, to: Math.round((to + pad) / 1000) * 1000 });
  }

  close() {
    clearTimeout(this.#timer);
    this.#latest.stop();
    this.chart.close();
    this.place.close();
  }
}
