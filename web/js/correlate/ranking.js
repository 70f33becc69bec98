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
    Object.assign(this, { select, sorted, sort: null, filter: "", selected: null, ranges: [], lines: [] });
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
    const seen = (one) => JSON.stringify([one.sort ?? null, one.filter]);
    const isSame = seen({ ...this, ...changes }) === seen(this);
    const isOther = "filter" in changes && changes.filter !== this.filter;
    Object.assign(this, changes);
    if (isSame) {
      this.lines.forEach((line) => line.mark(this.selected));
      return;
    }
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
    const rows = shown.slice(first, first + PAGE);
    // Elements are made once: to make a thousand anew for each answer takes longer than the answer.
    if (this.lines[0]?.cells.length !== this.ranges.length) this.lines = [];
    while (this.lines.length < rows.length) this.lines.push(new Line(this.ranges.length, (row) => this.select(row)));
    if (this.rows.children.length !== rows.length || this.rows.firstChild !== this.lines[0]?.element) {
      fill(this.rows, this.lines.slice(0, rows.length).map((line) => line.element));
    }
    rows.forEach((row, at) => this.lines[at].show(row, this.selected, this.isSigned));
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
}

/// Changes a text where it is another.
function say(node, text) {
  if (node.data !== text) node.data = text;
}

/// A row of the table, for one series after another.
class Line {
  constructor(ranges, select) {
    const text = () => document.createTextNode("");
    Object.assign(this, { rank: text(), name: text(), called: bdi("") });
    this.called.append(this.name);
    this.cells = Array.from({ length: ranges }, () => {
      const [r, n] = [text(), text()];
      const bar = new Bar();
      return { r, n, bar, strength: el("td", { class: "number starts" }, r), count: el("td", { class: "number muted wide" }, n) };
    });
    this.element = el("tr", {
      tabindex: "0",
      on: {
        click: () => select(this.row),
        keydown: (event) => {
          if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(this.row); }
          const next = { ArrowDown: "nextSibling", ArrowUp: "previousSibling" }[event.key];
          if (next) { event.preventDefault(); event.currentTarget[next]?.focus(); }
        },
      },
    }, el("td", { class: "rank number muted" }, this.rank), el("th", { scope: "row", class: "name" }, this.called),
    this.cells.map(({ strength, bar, count: counted }) => [strength, el("td", {}, bar.element), counted]));
  }

  show(row, selected, isSigned) {
    this.row = row;
    this.element.dataset.series = row.id;
    say(this.rank, String(row.rank));
    say(this.name, row.name);
    this.called.title = row.name;
    this.cells.forEach(({ r, n, bar, strength, count: counted }, range) => {
      const cell = row.cells[range];
      strength.dataset.r = cell.r ?? "";
      strength.title = `p ${pValue(cell.p_value)}`;
      say(r, shownR(cell.r));
      bar.show(cell, isSigned);
      counted.dataset.n = cell.n;
      say(n, count(cell.n));
    });
    this.mark(selected);
  }

  /// Whether it is the one that is looked at.
  mark(selected) {
    if (this.row && sameTags(this.row.tags, selected)) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
  }
}

/// A stem from zero to r, a mark there, and a band over what the interval covers: from −1 to 1, or where nothing is below
/// zero from there to 1.
class Bar {
  constructor() {
    [this.stem, this.span, this.mark] = ["stem", "span", "mark"].map((name) => el("span", { class: name }));
    this.bar = el("span", { class: "bar", role: "img" }, this.stem, this.span, this.mark);
    this.text = document.createTextNode("");
    this.whole = el("span", { class: "interval" }, this.bar, el("span", { class: "muted written" }, this.text));
    this.unknown = el("span", { class: "muted", hidden: true }, "–");
    this.element = el("span", {}, this.whole, this.unknown);
  }

  show({ r, ci95 }, isSigned) {
    this.whole.hidden = r === null;
    this.unknown.hidden = r !== null;
    if (r === null) return;
    const place = (value) => (isSigned ? (value + 1) * 50 : value * 100);
    const lay = (element, from, width) => {
      element.style.left = `${from}%`;
      if (width !== undefined) element.style.width = `${width}%`;
    };
    lay(this.stem, Math.min(place(0), place(r)), Math.abs(place(r) - place(0)));
    lay(this.mark, place(r));
    this.span.hidden = !ci95;
    if (ci95) lay(this.span, place(ci95[0]), Math.max(0.5, place(ci95[1]) - place(ci95[0])));
    this.bar.className = `bar${isSigned ? "" : " from-zero"}${r < 0 ? " negative" : ""}`;
    const text = ci95 ? `${shownR(ci95[0], 2)} to ${shownR(ci95[1], 2)}` : "no interval";
    this.bar.setAttribute("aria-label", text);
    this.bar.title = text;
    say(this.text, ci95 ? `${shownR(ci95[0], 2)} … ${shownR(ci95[1], 2)}` : "–");
  }
}
