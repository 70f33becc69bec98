// Picks one series among a hundred thousand: what is typed is looked for by the server, the list draws only the rows that
// are in sight, and the next page is asked for as the end comes near.

import { list } from "../api.js";
import { bdi, el, fill, icon, ICONS } from "../dom.js";
import { count, seriesName } from "../format.js";

const ROW = 32;
const PAGE = 200;
const TYPING_MS = 90;
let number = 0;

export class Picker {
  #rows = [];
  #next = null;
  #total = 0;
  #at = 0;
  #asked = 0;
  #abort = null;
  #timer = null;
  #searched = null;
  #measurement = null;

  /// `pick(series)` is called with `{series_id, tags}`.
  constructor(label, pick) {
    this.pick = pick;
    this.tags = null;
    const id = `picker-${(number += 1)}`;
    this.input = el("input", {
      class: "input", type: "text", role: "combobox", "aria-label": label, "aria-expanded": "false", "aria-controls": id,
      "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false", placeholder: "Search series", dir: "auto",
      on: {
        focus: () => { this.input.select(); this.open(); },
        click: () => this.open(),
        input: () => { this.open(); clearTimeout(this.#timer); this.#timer = setTimeout(() => this.#look(), TYPING_MS); },
        keydown: (event) => this.#key(event),
      },
    });
    this.tall = el("div", { class: "tall", role: "presentation" });
    this.rows = el("div", { class: "rows", role: "listbox", id, "aria-label": label, on: { scroll: () => this.#draw() } }, this.tall);
    this.foot = el("div", { class: "foot", role: "status" });
    this.list = el("div", { class: "list", hidden: true }, this.rows, this.foot);
    this.element = el("div", {
      class: "picker",
      on: { focusout: (event) => { if (!this.element.contains(event.relatedTarget)) this.close(); } },
    }, this.input, icon(ICONS.search), this.list);
    this.element.querySelector("svg").classList.add("glass");
    // Keeps the focus in the input while a row is pressed.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /// Whose series there are, and which is the chosen one.
  show(measurement, tags) {
    if (measurement !== this.#measurement) {
      this.#measurement = measurement;
      this.#rows = [];
    }
    this.tags = tags;
    if (this.list.hidden) this.input.value = tags ? seriesName(tags) : "";
  }

  open() {
    if (!this.list.hidden || !this.#measurement) return;
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
    this.#look();
  }

  close() {
    if (this.list.hidden) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.#abort?.abort();
    this.input.value = this.tags ? seriesName(this.tags) : "";
  }

  #look() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#searched = this.#search();
  }

  async #search() {
    const typed = this.input.value.trim();
    // What is chosen already is no search.
    const search = this.tags && typed === seriesName(this.tags) ? "" : typed;
    this.#rows = [];
    this.#next = null;
    this.rows.scrollTop = 0;
    // What is drawn still is the former list.
    this.input.removeAttribute("aria-activedescendant");
    await this.#load(search, null);
  }

  async #load(search, after) {
    this.#abort?.abort();
    this.#abort = new AbortController();
    const asked = (this.#asked += 1);
    try {
      const page = await list("series", { measurement: this.#measurement, search, after, limit: PAGE }, { signal: this.#abort.signal });
      if (asked !== this.#asked) return;
      if (after === null) this.#at = 0;
      this.#rows.push(...page.series);
      this.#next = page.next === null ? null : { search, after: page.next };
      this.#total = page.total;
      this.foot.textContent = page.total === 0 ? "No series has a word that begins so" : `${count(page.total)} series`;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.foot.textContent = error.message;
    }
    this.list.dataset.loaded = String(asked);
    this.#draw();
  }

  #draw() {
    this.tall.style.height = `${this.#rows.length * ROW + 10}px`;
    const first = Math.max(0, Math.floor(this.rows.scrollTop / ROW) - 4);
    const last = Math.min(this.#rows.length, first + Math.ceil((this.rows.clientHeight || 264) / ROW) + 8);
    fill(this.tall, this.#rows.slice(first, last).map((row, index) => this.#option(row, first + index)));
    this.#tell();
    if (this.#next && last > this.#rows.length - 40) {
      const { search, after } = this.#next;
      this.#next = null;
      this.#load(search, after);
    }
  }

  #option(row, at) {
    const names = Object.keys(row.tags).join(", ");
    const option = el("div", {
      class: "option", role: "option", id: `${this.rows.id}-${at}`, "aria-selected": String(at === this.#at), "aria-setsize": this.#total,
      "aria-posinset": at + 1, on: { click: () => this.#choose(row), pointermove: () => this.#mark(at) },
    }, bdi(seriesName(row.tags)), el("small", {}, bdi(names)));
    option.style.top = `${at * ROW + 5}px`;
    return option;
  }

  #mark(at) {
    if (at === this.#at) return;
    this.#at = at;
    for (const option of this.tall.children) option.setAttribute("aria-selected", String(option.id === `${this.rows.id}-${at}`));
    this.#tell();
  }

  /// Says which option Enter takes, if it is among those that are drawn.
  #tell() {
    const id = `${this.rows.id}-${this.#at}`;
    if ([...this.tall.children].some((option) => option.id === id)) this.input.setAttribute("aria-activedescendant", id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  #key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[event.key];
    if (step) {
      event.preventDefault();
      if (this.list.hidden) return this.open();
      const at = Math.min(Math.max(this.#at + step, 0), this.#rows.length - 1);
      const top = at * ROW;
      if (top < this.rows.scrollTop) this.rows.scrollTop = top;
      else if (top + ROW + 10 > this.rows.scrollTop + this.rows.clientHeight) this.rows.scrollTop = top + ROW + 10 - this.rows.clientHeight;
      this.#draw();
      this.#mark(at);
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (!this.list.hidden) this.#enter();
    } else if (event.key === "Escape" && !this.list.hidden) {
      event.stopPropagation();
      this.close();
    }
  }

  /// Takes a row of the list that what is typed asks for, once that is there.
  async #enter() {
    if (this.#timer !== null) this.#look();
    await this.#searched;
    const row = this.#rows[this.#at];
    if (!this.list.hidden && row) this.#choose(row);
  }

  #choose(row) {
    this.tags = row.tags;
    this.close();
    this.pick(row);
  }
}
