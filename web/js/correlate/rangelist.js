// The ranges as a list: seen, typed, removed, chosen from presets.

import { el, fill, icon, iconButton, ICONS, menu } from "../dom.js";
import { duration, parseTime, shortTime } from "../format.js";
import { rangeColour } from "../theme.js";
import { bounds, MOST_RANGES, presets } from "./question.js";

export class RangeList {
  /// `change(ranges)` has all ranges as they are to be.
  constructor(change) {
    this.change = change;
    this.ranges = [];
    this.list = el("ol", { class: "range-list", "aria-label": "Date ranges" });
    this.presets = menu("Add a range", () => this.#items(), { class: "from-left", button: { id: "add-range" } }, icon(ICONS.plus), el("span", {}, "Range"));
    this.element = el("div", { class: "range-bar" }, this.list, this.presets);
  }

  show(ranges, info, bucket) {
    Object.assign(this, { ranges, info, bucket });
    const focused = document.activeElement;
    if (this.list.children.length === ranges.length) {
      // Where somebody types is left alone.
      ranges.forEach((range, index) => this.#fillIn(this.list.children[index], range, focused));
      return;
    }
    fill(this.list, ranges.map((range, index) => this.#row(range, index)));
  }

  #row(range, index) {
    const typed = (edge) => el("input", {
      class: "input small when", type: "text", inputmode: "numeric", spellcheck: "false", autocomplete: "off", "data-edge": edge,
      "aria-label": `Range ${index + 1} ${edge === "from" ? "from" : "to"}`, title: "A time in UTC: 2020, 2020-03, 2020-03-01, 2020-03-01 09:30",
      on: {
        change: (event) => this.#typed(event.target, index, edge),
        keydown: (event) => { if (event.key === "Enter") event.target.blur(); },
      },
    });
    const row = el("li", { class: "range", tint: `var(--${rangeColour(index)})`, "data-range": index },
      el("span", { class: "swatch", "aria-hidden": "true" }), typed("from"), el("span", { class: "muted", "aria-hidden": "true" }, "–"), typed("to"),
      el("span", { class: "length muted" }), iconButton(`Remove range ${index + 1}`, ICONS.close, () => this.#remove(index), { class: "button bare icon clear" }));
    this.#fillIn(row, range, null);
    return row;
  }

  #fillIn(row, range, focused) {
    const { from, to } = bounds(range);
    for (const [edge, ms] of [["from", from], ["to", to]]) {
      const input = row.querySelector(`[data-edge="${edge}"]`);
      if (input === focused) continue;
      input.value = range.last ? (edge === "from" ? `last ${range.last}` : "now") : shortTime(ms);
      input.removeAttribute("aria-invalid");
    }
    row.querySelector(".length").textContent = range.last ? "" : duration(to - from);
  }

  #typed(input, index, edge) {
    const last = /^last\s+(\d+(?:s|m|h|d|w|mo))$/.exec(input.value.trim());
    const next = this.ranges.slice();
    if (last) next[index] = { last: last[1] };
    else {
      const ms = parseTime(input.value);
      const range = { ...bounds(this.ranges[index]), [edge]: ms };
      if (!Number.isFinite(ms) || range.from >= range.to) {
        input.setAttribute("aria-invalid", "true");
        return;
      }
      next[index] = { from: range.from, to: range.to };
    }
    this.change(next);
  }

  #remove(index) {
    this.change(this.ranges.filter((_, other) => other !== index));
    (this.list.children[Math.min(index, this.list.children.length - 1)]?.querySelector("button") ?? this.presets.querySelector("button")).focus();
  }

  #items() {
    if (!this.info) return [];
    const items = presets(this.info, this.bucket).map(({ text, ranges, replace }) => ({
      text, note: replace ? "replaces all" : null, press: () => this.change(replace ? ranges : [...this.ranges, ...ranges].slice(0, MOST_RANGES)),
    }));
    if (this.ranges.length > 1) items.push(null, { text: "Remove all but the first", press: () => this.change(this.ranges.slice(0, 1)) });
    return items;
  }
}

