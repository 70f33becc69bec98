// A canvas that fits its place and the screen's pixels, and is drawn again when either or the colours change.

import { el, fill } from "../dom.js";
import { onTheme } from "../theme.js";

export const FONT = '11.5px Inter, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export class Surface {
  #asked = false;

  /// `draw(context, width, height)` draws everything anew.
  constructor(label, height, draw) {
    this.draw = draw;
    this.width = 0;
    this.height = height;
    this.canvas = el("canvas", { role: "img", "aria-label": label });
    this.tip = el("div", { class: "tip", hidden: true });
    this.element = el("div", { class: "chart" }, this.canvas, this.tip);
    this.element.style.height = `${height}px`;
    this.observer = new ResizeObserver(() => this.redraw());
    this.observer.observe(this.element);
    this.stopTheme = onTheme(() => this.redraw());
  }

  label(text) {
    this.canvas.setAttribute("aria-label", text);
    if (this.element.hasAttribute("role")) this.element.setAttribute("aria-label", text);
  }

  /// What takes keys is a group around the image: within an image nothing is told to those who cannot see it.
  takesKeys() {
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", this.canvas.getAttribute("aria-label"));
  }

  resize(height) {
    this.height = height;
    this.element.style.height = `${height}px`;
    this.redraw();
  }

  /// Draws before the next frame, once however often it is asked.
  redraw() {
    if (this.#asked) return;
    this.#asked = true;
    requestAnimationFrame(() => {
      this.#asked = false;
      const width = this.element.clientWidth;
      if (!width) return;
      const scale = devicePixelRatio || 1;
      this.width = width;
      if (this.canvas.width !== Math.round(width * scale) || this.canvas.height !== Math.round(this.height * scale)) {
        this.canvas.width = Math.round(width * scale);
        this.canvas.height = Math.round(this.height * scale);
      }
      const context = this.canvas.getContext("2d");
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, width, this.height);
      context.font = FONT;
      this.draw(context, width, this.height);
    });
  }

  /// Shows what is under the pointer, beside it and within the chart.
  showTip(x, y, ...content) {
    fill(this.tip, ...content);
    this.tip.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = this.tip;
    const left = x + 14 + width > this.width ? Math.max(0, x - 14 - width) : x + 14;
    const top = Math.min(Math.max(0, y - height / 2), Math.max(0, this.height - height));
    this.tip.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }

  hideTip() {
    this.tip.hidden = true;
  }

  close() {
    this.observer.disconnect();
    this.stopTheme();
  }
}
