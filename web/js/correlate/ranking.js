// The ranked table: one row a series, and for each range r with its interval as a small bar, and n.

import { bdi, el, fill, iconButton, ICONS } from "../dom.js";
import { count, pValue, r as shownR, sameTags, seriesName } from "../format.js";
import { rangeColour } from "../theme.js";

const PAGE = 25;
/// Where there is no room, counts are left to the row's own panel, and intervals are drawn and not written.
const narrow = matchMedia("(max-width: 720px)");

export class Ranking {
  #rows = [];
  #page = 0;

  /// `select(row)` when a row is chosen; `sorted(sort)` when the order of rows is.
  constructor({ select, sorted }) {
    Object.assign(this, { select, sorted, sort: null, filter: "", selected: null, ranges: [] });
    this.head = el("thead");
    this.rows = el("tbody");
    this.table = el("table", { class: "data ranking", "aria-label": "Series by correlation" }, this.head, this.rows);
    this.summary = el("span", { class: "muted", role: "status", id: "ranking-count" });
    this.where = el("span", { class: "muted" });
    this.back = iconButton("Previous page", ICONS.left, () => this.#turn(-1));
    this.on = iconButton("Next page", ICONS.right, () => this.#turn(1));
    this.pager = el("div", { class: "pager" }, this.where, this.back, this.on);
    this.element = el("div", {}, el("div", { class: "scroll" }, this.table));
    this.narrowed = () => this.#drawHead();
    narrow.addEventListener("change", this.narrowed);
  }

  /// `answer` as the API gives it, about ranges of these names.
  show(answer, ranges) {
    this.ranges = ranges;
    const first = answer.ranges[0]?.results ?? [];
    this.#rows = first.map((result, rank) => ({
      rank: rank + 1, id: result.series_id, tags: result.series, name: seriesName(result.series),
      cells: answer.ranges.map((range) => range.results[rank]),
    }));
    this.isSigned = this.#rows.some(({ cells }) => cells.some(({ r, ci95 }) => r < 0 || ci95?.[0] < 0));
    this.#drawHead();
    this.draw();
  }

  row(tags) {
    return this.#rows.find((row) => sameTags(row.tags, tags));
  }

  get all() {
    return this.#rows;
  }

  set(changes) {
    const seen = (one) => JSON.stringify([one.sort ?? null, one.filter, one.selected ?? null]);
    if (seen({ ...this, ...changes }) === seen(this)) return;
    const isOther = "filter" in changes && changes.filter !== this.filter;
    Object.assign(this, changes);
    if (isOther) this.#page = 0;
    this.#drawHead();
    this.draw();
  }

  #shown() {
    const wanted = this.filter.trim().toLowerCase();
    const rows = wanted ? this.#rows.filter(({ name }) => name.toLowerCase().includes(wanted)) : this.#rows.slice();
    const { sort } = this;
    if (!sort) return rows;
    const sign = sort.down ? -1 : 1;
    if (sort.key === "name") return rows.sort((a, b) => sign * a.name.localeCompare(b.name));
    const key = ({ cells }) => cells[sort.range]?.[sort.key] ?? null;
    // What is not known comes last, whichever way.
    return rows.sort((a, b) => (key(a) === null) - (key(b) === null) || sign * (key(a) - key(b)));
  }

  #drawHead() {
    // With many ranges side by side the intervals are drawn and not written.
    this.table.classList.toggle("many", this.ranges.length > 2);
    const sortable = (text, key, range, properties = {}) => {
      const isNow = this.sort?.key === key && (key === "name" || this.sort.range === range);
      const press = () => {
        const usual = key !== "name";
        const next = !isNow ? { key, range, down: usual } : this.sort.down === usual ? { key, range, down: !usual } : null;
        this.sorted(next);
      };
      return el("th", { scope: "col", "aria-sort": isNow ? (this.sort.down ? "descending" : "ascending") : "none", ...properties },
        el("button", { type: "button", on: { click: press } }, text));
    };
    fill(this.head,
      el("tr", { class: "groups" }, el("th", { class: "rank" }), el("th", { class: "name" }), this.ranges.map((name, index) =>
        el("th", { colspan: narrow.matches ? 2 : 3, scope: "colgroup", class: "group", tint: `var(--${rangeColour(index)})` },
          el("span", { class: "swatch", "aria-hidden": "true" }), name))),
      el("tr", {}, el("th", { class: "rank number", scope: "col" }, "#"), sortable("Series", "name", 0, { class: "name" }),
        this.ranges.map((_, index) => [
          sortable("r", "r", index, { class: "number starts" }), el("th", { scope: "col" }, this.ranges.length > 2 || narrow.matches ? "95 %" : "95 % interval"), sortable("n", "n", index, { class: "number wide" }),
        ])));
  }

  close() {
    narrow.removeEventListener("change", this.narrowed);
  }

  draw() {
    const shown = this.#shown();
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    this.#page = Math.min(this.#page, pages - 1);
    const first = this.#page * PAGE;
    fill(this.rows, shown.slice(first, first + PAGE).map((row) => this.#row(row)));
    this.summary.textContent = this.filter ? `${count(shown.length)} of ${count(this.#rows.length)}` : `${count(this.#rows.length)} series`;
    this.where.textContent = shown.length ? `${first + 1}–${Math.min(first + PAGE, shown.length)} of ${count(shown.length)}` : "none";
    this.back.disabled = this.#page === 0;
    this.on.disabled = this.#page >= pages - 1;
    this.pager.hidden = pages === 1;
  }

  #turn(by) {
    this.#page += by;
    this.draw();
  }

  #row(row) {
    const isSelected = sameTags(row.tags, this.selected);
    return el("tr", {
      tabindex: "0", "aria-current": isSelected && "true", "data-series": row.id,
      on: {
        click: () => this.select(row),
        keydown: (event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.select(row); }
          const next = { ArrowDown: "nextSibling", ArrowUp: "previousSibling" }[event.key];
          if (next) { event.preventDefault(); event.currentTarget[next]?.focus(); }
        },
      },
    }, el("td", { class: "rank number muted" }, String(row.rank)), el("th", { scope: "row", class: "name" }, bdi(row.name, { title: row.name })),
    row.cells.map((cell) => [
      el("td", { class: "number starts", "data-r": cell.r ?? "", title: `p ${pValue(cell.p_value)}` }, shownR(cell.r)),
      el("td", {}, bar(cell, this.isSigned)), el("td", { class: "number muted wide", "data-n": cell.n }, count(cell.n)),
    ]));
  }
}

/// A stem from zero to r, a mark there, and a band over what the interval covers: from −1 to 1, or where nothing is below
/// zero from there to 1.
function bar({ r, ci95 }, isSigned) {
  if (r === null) return el("span", { class: "muted" }, "–");
  const place = (value) => (isSigned ? (value + 1) * 50 : value * 100);
  const [stem, mark] = [el("span", { class: "stem" }), el("span", { class: "mark" })];
  stem.style.left = `${Math.min(place(0), place(r))}%`;
  stem.style.width = `${Math.abs(place(r) - place(0))}%`;
  mark.style.left = `${place(r)}%`;
  const text = ci95 ? `${shownR(ci95[0], 2)} to ${shownR(ci95[1], 2)}` : "no interval";
  const whole = el("span", { class: `bar${isSigned ? "" : " from-zero"}${r < 0 ? " negative" : ""}`, role: "img", "aria-label": text, title: text }, stem);
  if (ci95) {
    const span = el("span", { class: "span" });
    span.style.left = `${place(ci95[0])}%`;
    span.style.width = `${Math.max(0.5, place(ci95[1]) - place(ci95[0]))}%`;
    whole.append(span);
  }
  whole.append(mark);
  return el("span", { class: "interval" }, whole, el("span", { class: "muted written" }, ci95 ? `${shownR(ci95[0], 2)} … ${shownR(ci95[1], 2)}` : "–"));
}

