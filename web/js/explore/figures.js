// The shown series in numbers.

import { bdi, el, fill, iconButton, ICONS } from "../dom.js";
import { count, value } from "../format.js";

export class Figures {
  /// `remove(series)` when a series is no longer wanted.
  constructor(remove) {
    this.remove = remove;
    this.rows = el("tbody");
    const column = (text) => el("th", { scope: "col", class: "number" }, text);
    this.element = el("div", { class: "scroll" }, el("table", { class: "data", "aria-label": "The shown series in numbers" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Series"), ["First", "Last", "Change", "Least", "Greatest", "Mean", "Buckets", "Missing"].map(column), el("th", {}))), this.rows));
  }

  show(lines, series) {
    fill(this.rows, lines.map((line, k) => {
      const there = line.values.filter(Number.isFinite);
      const first = there[0] ?? NaN;
      const last = there.at(-1) ?? NaN;
      const change = first ? (last / first - 1) * 100 : NaN;
      const mean = there.reduce((sum, one) => sum + one, 0) / there.length;
      const shown = [value(first), value(last), Number.isFinite(change) ? `${change > 0 ? "+" : change < 0 ? "−" : ""}${Math.abs(change).toLocaleString("en-US", { maximumFractionDigits: 1, minimumFractionDigits: 1 })} %` : "–",
        value(there.reduce((a, b) => Math.min(a, b), Infinity)), value(there.reduce((a, b) => Math.max(a, b), -Infinity)), value(mean), count(line.values.length), count(line.values.length - there.length)];
      return el("tr", {}, el("th", { scope: "row" }, el("span", { class: "swatch inline", tint: `var(--${line.tint})` }), bdi(line.name)),
        shown.map((text) => el("td", { class: "number" }, text)),
        el("td", { class: "number" }, iconButton(`Remove ${line.name}`, ICONS.close, () => this.remove(series[k]))));
    }));
  }
}
