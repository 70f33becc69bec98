// A measurement's chunks on a time line: how large each is, in which state, and what was done with it.

import { bdi, el, fill } from "../dom.js";
import { bytes, count, duration, shortTime } from "../format.js";
import { colour } from "../theme.js";
import { drawTimeAxis, timeTicks } from "../chart/axes.js";
import { Surface } from "../chart/surface.js";

const STATES = { hot: "range-1", sealed: "range-0", compressed: "range-2", expired: "faint" };
/// The time line has room for at least so many slices of time.
const LEAST_SLICES = 7;
/// Expired: older than its measurement keeps rows, and dropped as soon as somebody comes by.
const stateOf = (chunk) => (chunk.isExpired ? "expired" : chunk.compressed ? "compressed" : chunk.state);

export class Chunks {
  #hover = null;
  #chosen = null;

  constructor() {
    this.chunks = [];
    this.surface = new Surface("Chunks by time and size", 170, (context, width, height) => this.#draw(context, width, height));
    this.surface.element.tabIndex = 0;
    this.surface.takesKeys();
    this.surface.element.setAttribute("aria-description", "Arrow keys go from chunk to chunk");
    this.surface.element.addEventListener("pointermove", (event) => this.#point(event));
    this.surface.element.addEventListener("pointerleave", () => { this.#hover = null; this.surface.hideTip(); this.surface.redraw(); });
    this.surface.element.addEventListener("click", () => { if (this.#hover !== null) this.#choose(this.#hover); });
    this.surface.element.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!step || !this.chunks.length) return;
      event.preventDefault();
      this.#choose(Math.min(Math.max((this.#chosen ?? (step > 0 ? -1 : this.chunks.length)) + step, 0), this.chunks.length - 1));
    });
    this.legend = el("div", { class: "legend" });
    this.one = el("div", { class: "chunk", "aria-live": "polite" });
    this.element = el("div", {}, this.surface.element, this.one);
  }

  /// `keep`: how many milliseconds the measurement keeps its rows; `NaN` for ever.
  show(chunks, keep) {
    const name = this.#chosen === null ? null : this.chunks[this.#chosen]?.name;
    this.chunks = chunks.map((chunk) => ({ ...chunk, begin: Date.parse(chunk.from), end: Date.parse(chunk.to), size: chunk.bytes, isExpired: Date.parse(chunk.to) + keep < Date.now() }));
    const counts = Object.keys(STATES).map((state) => [state, this.chunks.filter((chunk) => stateOf(chunk) === state).length]).filter(([, number]) => number);
    fill(this.legend, counts.map(([state, number]) => el("span", {}, el("i", { class: "swatch", tint: `var(--${STATES[state]})` }), `${count(number)} ${state}`)));
    const total = this.chunks.reduce((sum, chunk) => sum + chunk.size, 0);
    this.surface.label(`${chunks.length} chunks of ${bytes(total)} altogether: ${counts.map(([state, number]) => `${number} ${state}`).join(", ")}`);
    const again = this.chunks.findIndex((chunk) => chunk.name === name);
    this.#choose(again >= 0 ? again : this.chunks.length - 1);
  }

  #draw(context, width, height) {
    if (!this.chunks.length) return;
    const box = { left: 2, right: width - 2, top: 8, bottom: height - 24 };
    const to = Math.max(...this.chunks.map(({ end }) => end));
    const last = this.chunks.at(-1);
    // One chunk alone does not fill the line: there is room for what will come to stand beside it.
    const from = Math.min(...this.chunks.map(({ begin }) => begin), to - LEAST_SLICES * (last.end - last.begin));
    this.toX = (time) => box.left + ((time - from) / (to - from || 1)) * (box.right - box.left);
    this.box = box;
    drawTimeAxis(context, box, timeTicks(from, to, width), this.toX);
    const most = Math.max(...this.chunks.map(({ size }) => size), 1);
    // Space partitions share a slice of time: their bars stand on each other's shoulders.
    const stacked = new Map();
    this.places = this.chunks.map((chunk) => {
      const base = stacked.get(chunk.begin) ?? 0;
      const partitions = chunk.partition?.of ?? 1;
      const tall = Math.max(3, (chunk.size / most / partitions) * (box.bottom - box.top - 6));
      stacked.set(chunk.begin, base + tall + 1);
      const left = this.toX(chunk.begin);
      return { left, top: box.bottom - base - tall, width: Math.max(1, this.toX(chunk.end) - left - (this.chunks.length > width / 3 ? 0 : 1.5)), tall };
    });
    this.places.forEach(({ left, top, width: wide, tall }, index) => {
      context.fillStyle = colour(STATES[stateOf(this.chunks[index])]);
      context.globalAlpha = index === this.#chosen || index === this.#hover ? 1 : 0.62;
      context.beginPath();
      context.roundRect(left, top, wide, tall, [Math.min(3, wide / 2), Math.min(3, wide / 2), 0, 0]);
      context.fill();
      context.globalAlpha = 1;
      if (index === this.#chosen) {
        context.fillStyle = colour("ink");
        context.fillRect(left, box.bottom + 1, wide, 2);
      }
    });
  }

  #point(event) {
    const place = this.surface.element.getBoundingClientRect();
    const [x, y] = [event.clientX - place.left, event.clientY - place.top];
    const under = this.places?.findIndex(({ left, top, width, tall }) => x >= left && x < left + width + 1.5 && (y >= top - 30 && y <= top + tall));
    const any = this.places?.findIndex(({ left, width }) => x >= left && x < left + width + 1.5);
    const at = under >= 0 ? under : any;
    this.#hover = at >= 0 ? at : null;
    if (this.#hover === null) this.surface.hideTip();
    else {
      const chunk = this.chunks[at];
      this.surface.showTip(x, y, el("div", { class: "when" }, `${shortTime(chunk.begin)} – ${shortTime(chunk.end)}`),
        el("div", { class: "row" }, stateOf(chunk), el("span", {}, bytes(chunk.size))));
    }
    this.surface.redraw();
  }

  #choose(index) {
    this.#chosen = index >= 0 ? index : null;
    this.surface.redraw();
    const chunk = this.chunks[index];
    if (!chunk) return fill(this.one);
    const facts = [
      ["Time", `${shortTime(chunk.begin)} – ${shortTime(chunk.end)}`], ["State", stateOf(chunk)], ["Rows, about", count(chunk.rows)], ["Size", bytes(chunk.size)],
      ["Of that indexes", bytes(chunk.index_bytes)], ["Panels in memory", count(chunk.blocks)],
    ];
    if (chunk.partition) facts.push(["Partition", `${chunk.partition.number} of ${chunk.partition.of}`]);
    fill(this.one,
      el("dl", { class: "stats" }, facts.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text)))),
      el("code", { class: "muted" }, chunk.name),
      chunk.events.length ? el("ul", { class: "events" }, chunk.events.map((event) => el("li", {},
        el("strong", {}, event.event), ` ${shortTime(Math.floor(Date.parse(event.began) / 1000) * 1000)}, took ${duration(event.took_ms)}`,
        event.bytes_before && event.bytes_after ? `, ${bytes(event.bytes_before)} → ${bytes(event.bytes_after)}` : null, event.note ? bdi(` (${event.note})`) : null))) : null);
  }

  close() {
    this.surface.close();
  }
}
