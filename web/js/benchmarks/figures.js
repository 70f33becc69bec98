// The figures of one report, or of two side by side with what has changed.

import { button, el, fill, segments } from "../dom.js";
import { bytes, count } from "../format.js";
import { VERDICTS } from "./compare.js";
import { sparkline, strips } from "./strip.js";

/// Of several groups each shows so many at first.
const FIRST = 15;

/// Digits that mean something, as in the terminal.
export function shown(value) {
  const size = Math.abs(value);
  const digits = size >= 1000 ? 0 : size >= 1 ? 2 : 4;
  return value.toLocaleString("en-US", { minimumFractionDigits: Number.isInteger(value) ? 0 : digits, maximumFractionDigits: digits }).replace("-", "−");
}

/// With its unit, which counts of bytes have within.
const withUnit = ({ unit }, value) => (isLong(unit, value) ? bytes(value) : shown(value));
const isLong = (unit, value) => (unit === "B" || unit === "bytes") && Math.abs(value) >= 1e5;
const percent = (change) => (Math.abs(change) < 0.05 ? "0.0 %" : signed(change));
const signed = (change) => `${change > 0 ? "+" : change < 0 ? "−" : ""}${Math.abs(change) >= 100 ? count(Math.abs(change)) : Math.abs(change).toFixed(1)} %`;
const range = ({ samples, noise }) => (samples.length > 1 ? `${shown(noise[0])} to ${shown(noise[1])}, ${count(samples.length)} samples` : "one sample");

export class Figures {
  /// `show(kind)` when only figures of a verdict are wanted.
  constructor(show) {
    this.show = show;
    this.kinds = el("div", {});
    this.head = el("thead");
    this.table = el("table", { class: "data figures", "aria-label": "Figures" }, this.head);
    this.opened = new Set();
    this.none = el("p", { class: "muted none" }, "No figure has such a name or verdict.");
    this.element = el("div", {}, el("div", { class: "scroll" }, this.table), this.none);
  }

  /// `notes` has a line for a group, by its name.
  draw(rows, { isPair, filter, kind, notes }) {
    const wanted = filter.trim().toLowerCase();
    const named = rows.filter(({ group, name }) => !wanted || `${group}.${name}`.toLowerCase().includes(wanted));
    const number = (verdict) => named.filter((row) => row.verdict === verdict).length;
    const options = [["all", `All ${count(named.length)}`], ["better", `Better ${number("better")}`], ["worse", `Worse ${number("worse")}`], ["unclear", `Within the noise ${number("unclear")}`], ["unknown", `Nothing is said ${number("unknown")}`]];
    const focused = this.kinds.contains(document.activeElement) ? document.activeElement.value : null;
    fill(this.kinds, isPair ? segments("Verdict", options, kind, this.show) : null);
    if (focused) this.kinds.querySelector(`[value="${focused}"]`)?.focus();
    const listed = isPair && kind !== "all" ? named.filter((row) => row.verdict === kind) : named;
    const column = (text, properties = {}) => el("th", { scope: "col", ...properties }, text);
    const isNumber = { class: "number" };
    fill(this.head, el("tr", {}, column("Figure"), isPair ? [column("A", isNumber), column("B", isNumber)] : column("Value", isNumber), column("Unit", { class: "unit" }),
      isPair ? [column("Change", isNumber), column("Verdict")] : null, column(isPair ? "Samples, A above B" : "Samples", { class: "wide" })));
    const groups = [...new Set(listed.map(({ group }) => group))];
    const columns = isPair ? 7 : 4;
    const again = () => this.draw(rows, { isPair, filter, kind, notes });
    // What was asked for is shown; else a long report begins with the first of each group, its ratios.
    const isWhole = (group) => groups.length === 1 || wanted || kind !== "all" || this.opened.has(group);
    const bodies = groups.map((group) => el("tbody", {},
      el("tr", { class: "group" }, el("th", { colspan: columns, scope: "rowgroup" }, el("span", {}, group), notes[group] ? el("small", {}, notes[group]) : null)),
      this.#some(listed.filter((row) => row.group === group), isWhole(group), { group, isPair, columns, again })));
    this.table.replaceChildren(this.head, ...bodies);
    this.table.hidden = !listed.length;
    this.none.hidden = listed.length > 0;
  }

  #some(rows, isWhole, { group, isPair, columns, again }) {
    const some = isWhole || rows.length <= FIRST + 3 ? rows : rows.slice(0, FIRST);
    const more = () => { this.opened.add(group); again(); };
    return [some.map((row) => (isPair ? this.#pair(row) : this.#one(row))),
      some.length < rows.length ? el("tr", { class: "small" }, el("td", { colspan: columns }, button(`Show ${count(rows.length - some.length)} more of ${group}`, more, { class: "button bare" }))) : []];
  }

  #name({ name, better }) {
    const way = better === "higher" ? "more is better" : "less is better";
    return el("th", { scope: "row", class: "name" }, el("code", {}, name.split("_").flatMap((part, at) => (at ? ["_", el("wbr"), part] : [part]))),
      el("span", { class: "way", title: way, role: "img", "aria-label": way }, better === "higher" ? "↑" : "↓"));
  }

  #one(row) {
    const side = row.a ?? row.b;
    return el("tr", { class: "small", "data-figure": row.figure, "data-a": side.value },
      this.#name(row), el("td", { class: "number value" }, withUnit(row, side.value)), el("td", { class: "muted unit" }, isLong(row.unit, side.value) ? "" : row.unit),
      el("td", { class: "wide" }, el("span", { class: "sampled" }, sparkline(side, `Samples in order: ${range(side)}`), el("span", { class: "muted" }, side.samples.length > 1 ? range(side) : ""))));
  }

  #pair(row) {
    const { a, b, verdict, change } = row;
    const cell = (side, which) => el("td", { class: "number value", "data-side": which, title: side && range(side) }, side ? withUnit(row, side.value) : "–");
    const label = a && b ? `A ${range(a)}; B ${range(b)}` : "";
    return el("tr", { class: "small", "data-figure": row.figure, "data-a": a?.value, "data-b": b?.value, "data-verdict": verdict },
      this.#name(row), cell(a, "A"), cell(b, "B"), el("td", { class: "muted unit" }, isLong(row.unit, (a ?? b).value) ? "" : row.unit),
      el("td", { class: `number change ${verdict ?? ""}` }, change === null ? "–" : percent(change)),
      el("td", {}, el("span", { class: `verdict ${verdict ?? "alone"}` }, verdict ? VERDICTS[verdict] : a ? "only in A" : "only in B")),
      el("td", { class: "wide" }, a && b && a.samples.length + b.samples.length > 2 ? strips(a, b, label) : null));
  }
}
