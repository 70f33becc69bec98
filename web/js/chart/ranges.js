// Date ranges on a chart: drawn by dragging, moved, made longer and shorter, taken away; by pointer and by keyboard.

import { el, fill } from "../dom.js";
import { shortTime } from "../format.js";
import { rangeColour } from "../theme.js";

/// A drag of fewer pixels is a click.
const CLICK = 4;

export class RangeLayer {
  #drag = null;

  /// `change(index, {from, to}, isDone)` when a range changes or, past the last index, is made; `remove(index)`; `snap(ms)` to
  /// where ranges may begin and end; `most` are drawn.
  constructor(chart, { change, remove, pick, snap, most }) {
    Object.assign(this, { chart, change, remove, pick, snap, most, ranges: [], least: 1 });
    this.element = el("div", { class: "ranges" });
    chart.element.append(this.element);
    chart.surface.takesKeys();
    chart.onLayout = () => this.#lay();
    chart.element.addEventListener("pointerdown", (event) => this.#down(event));
    chart.element.addEventListener("pointermove", (event) => this.#move(event));
    for (const kind of ["pointerup", "pointercancel"]) chart.element.addEventListener(kind, (event) => this.#up(event));
  }

  /// `least` is the shortest that one may be, in milliseconds.
  show(ranges, least) {
    this.least = least;
    this.ranges = ranges.map((range) => ({ ...range }));
    while (this.element.children.length > ranges.length) this.element.lastChild.remove();
    while (this.element.children.length < ranges.length) this.element.append(this.#band(this.element.children.length));
    if (this.chart.domain) this.#lay();
  }

  #band(index) {
    const handle = (edge) => el("i", { class: `edge ${edge}`, "data-edge": edge });
    return el("div", {
      class: "band", tabindex: "0", role: "group", tint: `var(--${rangeColour(index)})`, "data-range": index,
      on: { keydown: (event) => this.#key(event, index), focus: () => this.pick?.(index) },
    }, handle("from"), handle("to"), el("span", { class: "name", "aria-hidden": "true" }, String(index + 1)));
  }

  #lay() {
    const { box, domain } = this.chart;
    if (!domain) return;
    this.ranges.forEach((range, index) => {
      const band = this.element.children[index];
      if (!band) return;
      const left = Math.max(box.left, this.chart.toX(range.from));
      const right = Math.min(box.right, this.chart.toX(range.to));
      band.hidden = right <= box.left || left >= box.right;
      band.style.transform = `translateX(${left}px)`;
      band.style.width = `${Math.max(2, right - left)}px`;
      band.style.top = `${box.top - 10}px`;
      band.style.height = `${box.bottom - box.top + 10}px`;
      band.setAttribute("aria-label",
        `Range ${index + 1}: ${shortTime(range.from)} to ${shortTime(range.to)}. Arrow keys move it, with Shift its end, with Alt its start; Delete removes it`);
    });
  }

  /// While a hand drags, the chart stays where it is: to ask would lay out the page at each move.
  #x(event) {
    return event.clientX - (this.#drag?.left ?? this.chart.element.getBoundingClientRect().left);
  }

  #down(event) {
    if (event.button !== 0 || !this.chart.domain || this.#drag) return;
    const x = this.#x(event);
    if (x > this.chart.box.right) return;
    const left = event.clientX - x;
    const band = event.target.closest?.(".band");
    const at = this.chart.toTime(x);
    if (band) {
      const index = Number(band.dataset.range);
      this.#drag = { kind: event.target.dataset.edge ?? "whole", index, start: at, x, left, was: { ...this.ranges[index] } };
      band.focus({ preventScroll: true });
    } else {
      if (this.ranges.length >= this.most) return;
      this.#drag = { kind: "new", index: this.ranges.length, start: at, x, left, was: null };
    }
    this.chart.element.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag) return;
    const x = this.#x(event);
    if (!drag.moved && Math.abs(x - drag.x) < CLICK) return;
    drag.moved = true;
    const next = this.#dragged(drag, this.chart.toTime(Math.min(Math.max(x, this.chart.box.left), this.chart.box.right)));
    const was = this.ranges[drag.index];
    if (was && was.from === next.from && was.to === next.to) return;
    this.ranges[drag.index] = next;
    this.show(this.ranges, this.least);
    this.change(drag.index, next, false);
  }

  #dragged({ kind, start, was }, at) {
    const { snap, least } = this;
    if (kind === "whole") {
      const from = snap(was.from + at - start);
      return { from, to: from + (was.to - was.from) };
    }
    if (kind === "from") return { from: Math.min(snap(at), was.to - least), to: was.to };
    if (kind === "to") return { from: was.from, to: Math.max(snap(at), was.from + least) };
    const [from, to] = [snap(Math.min(start, at)), snap(Math.max(start, at))];
    return { from, to: Math.max(to, from + least) };
  }

  #up(event) {
    const drag = this.#drag;
    this.#drag = null;
    if (!drag?.moved) return;
    if (this.chart.element.hasPointerCapture(event.pointerId)) this.chart.element.releasePointerCapture(event.pointerId);
    this.change(drag.index, this.ranges[drag.index], true);
  }

  #key(event, index) {
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      this.remove(index);
      return;
    }
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const pixels = event.ctrlKey || event.metaKey ? 1 : 12;
    const [from, to] = this.chart.domain;
    const by = step * Math.max(this.least / 2, ((to - from) / (this.chart.box.right - this.chart.box.left)) * pixels);
    const was = this.ranges[index];
    const edge = event.shiftKey ? "to" : event.altKey ? "from" : "whole";
    const base = edge === "to" ? was.to : was.from;
    const next = this.#dragged({ kind: edge, start: base, was }, base + by);
    this.ranges[index] = next;
    this.show(this.ranges, this.least);
    this.change(index, next, true);
  }
}
