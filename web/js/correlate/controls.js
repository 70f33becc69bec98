// What is asked about, as a row of choices.

import { el, field, select, setOptions, toggle } from "../dom.js";
import { WIDTHS, widthMs } from "../format.js";
import { Picker } from "../parts/picker.js";
import { METHODS, numeric, ORDERS, TOPS, TRANSFORMS } from "./question.js";

export class Controls {
  /// `change(changes)` has what of the state is to be other.
  constructor(change) {
    this.measurement = select("Measurement", [], "", (measurement) => change({ measurement, field: null, bucket: null, target: null, targetId: undefined, ranges: [], selected: null, zoom: null }), { id: "measurement" });
    this.field = select("Field", [], "", (name) => change({ field: name }), { id: "field" });
    this.bucket = select("Bucket", [], "", (bucket) => change({ bucket }), { id: "bucket" });
    this.transform = select("Transform", TRANSFORMS, "", (transform) => change({ transform }), { id: "transform" });
    this.method = select("Method", METHODS, "", (method) => change({ method }), { id: "method" });
    this.halfLife = el("input", {
      class: "input", type: "number", min: "1", step: "1", "aria-label": "Half-life in buckets", id: "half-life",
      on: { change: (event) => { const halfLife = Number(event.target.value); if (halfLife > 0) change({ halfLife }); } },
    });
    this.halfLifeField = field("Half-life, buckets", this.halfLife);
    this.picker = new Picker("Series", ({ series_id: targetId, tags }) => change({ target: tags, targetId, selected: null }, true));
    this.live = toggle("Live", false, (live) => change({ live }));
    this.element = el("div", { class: "question", role: "search", "aria-label": "Question" },
      field("Series", this.picker.element, { class: "field series" }), field("Measurement", this.measurement), field("Field", this.field),
      field("Bucket", this.bucket), field("Transform", this.transform), field("Method", this.method), this.halfLifeField);
    this.order = select("Ranked by", ORDERS, "abs", (order) => change({ order, sort: null }), { class: "select small", id: "order" });
    this.rankBy = select("In which range", [], "max", (rankBy) => change({ rankBy, sort: null }), { class: "select small", id: "rank-by" });
    this.top = select("How many", TOPS.map((one) => [one, `Top ${one}`]), "100", (top) => change({ top }), { class: "select small", id: "top" });
  }

  show(state, info, measurements) {
    setOptions(this.measurement, measurements.map(({ name }) => [name, name]), state.measurement);
    setOptions(this.field, numeric(info).map((name) => [name, name]), state.field);
    const widths = WIDTHS.map(([name]) => name);
    if (!widths.includes(state.bucket)) widths.push(state.bucket);
    widths.sort((a, b) => widthMs(a) - widthMs(b));
    setOptions(this.bucket, widths.map((name) => [name, name]), state.bucket);
    this.transform.value = state.transform;
    this.method.value = state.method;
    this.halfLifeField.hidden = state.method !== "ewma";
    this.halfLife.value = state.halfLife;
    this.picker.show(state.measurement, state.target);
    this.live.querySelector("input").checked = state.live;
    this.order.value = state.order;
    setOptions(this.rankBy, [["max", "in any range"], ...state.ranges.map((_, index) => [String(index), `in range ${index + 1}`])], state.rankBy);
    if (!this.rankBy.value) this.rankBy.value = "max";
    this.rankBy.hidden = state.ranges.length < 2;
    this.top.value = state.top;
  }
}
