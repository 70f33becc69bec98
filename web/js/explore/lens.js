// Looking closer: a part of the chart is dragged over, or the wheel turned with a key held, or arrow keys and + and −.

import { el } from "../dom.js";

const CLICK = 5;
const SHORTEST_MS = 50;

export class Lens {
  #from = null;

  /// `zoom({from, to})`; `out()` when somebody wants to see more.
  constructor(chart, { zoom, out }) {
    Object.assign(this, { chart, zoom, out });
    const { element } = chart;
    this.mark = el("div", { class: "lens", hidden: true });
    element.append(this.mark);
    element.tabIndex = 0;
    chart.surface.takesKeys();
    element.setAttribute("aria-description", "Arrow keys move, plus and minus look closer and wider");
    element.addEventListener("pointerdown", (event) => this.#down(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#up(event));
    element.addEventListener("pointercancel", () => this.#end());
    element.addEventListener("dblclick", () => this.out());
    element.addEventListener("keydown", (event) => this.#key(event));
    element.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
  }

  #x(event) {
    const { left } = this.chart.element.getBoundingClientRect();
    return Math.min(Math.max(event.clientX - left, this.chart.box.left), this.chart.box.right);
  }

  #down(event) {
    if (event.button !== 0 || event.pointerType === "touch" || !this.chart.domain) return;
    this.#from = this.#x(event);
    this.chart.element.setPointerCapture(event.pointerId);
  }

  #move(event) {
    if (this.#from === null) return;
    const to = this.#x(event);
    this.mark.hidden = Math.abs(to - this.#from) < CLICK;
    this.mark.style.transform = `translateX(${Math.min(this.#from, to)}px)`;
    this.mark.style.width = `${Math.abs(to - this.#from)}px`;
    this.mark.style.height = `${this.chart.box.bottom}px`;
  }

  #up(event) {
    if (this.#from === null) return;
    const [a, b] = [this.#from, this.#x(event)].sort((one, other) => one - other);
    this.#end();
    if (b - a >= CLICK) this.#to(this.chart.toTime(a), this.chart.toTime(b));
  }

  #end() {
    this.#from = null;
    this.mark.hidden = true;
  }

  #to(from, to) {
    if (to - from >= SHORTEST_MS) this.zoom({ from: Math.round(from), to: Math.round(to) });
  }

  #key(event) {
    if (!this.chart.domain) return;
    const [from, to] = this.chart.domain;
    const length = to - from;
    const next = {
      ArrowLeft: [from - length / 4, to - length / 4], ArrowRight: [from + length / 4, to + length / 4],
      "+": [from + length / 4, to - length / 4], "=": [from + length / 4, to - length / 4],
    }[event.key];
    if (event.key === "-") this.out();
    else if (next) this.#to(...next);
    else return;
    event.preventDefault();
  }

  #wheel(event) {
    if (!this.chart.domain || (!event.ctrlKey && !event.metaKey)) return;
    event.preventDefault();
    const [from, to] = this.chart.domain;
    const at = this.chart.toTime(this.#x(event));
    const factor = Math.exp(Math.max(-1, Math.min(1, event.deltaY / 200)));
    this.#to(at - (at - from) * factor, at + (to - at) * factor);
  }
}
