// The two charts that are not over time: a scatter of pairs, and a heat map of all pairs.

import { bdi, el } from "../dom.js";
import { r as shownR, value } from "../format.js";
import { colour } from "../theme.js";
import { drawValueAxis, numberTicks } from "./axes.js";
import { FONT, Surface } from "./surface.js";

/// One point a bucket, x against y, with the line that fits best.
export class Scatter {
  constructor(label, height = 220) {
    this.points = { xs: [], ys: [] };
    this.surface = new Surface(label, height, (context, w, h) => this.#draw(context, w, h));
    this.element = this.surface.element;
  }

  show(xs, ys, { x, y, tint }) {
    const kept = xs.map((_, i) => i).filter((i) => Number.isFinite(xs[i]) && Number.isFinite(ys[i]));
    this.points = { xs: kept.map((i) => xs[i]), ys: kept.map((i) => ys[i]) };
    Object.assign(this, { x, y, tint });
    this.surface.label(`Scatter of ${kept.length} pairs, ${x} across, ${y} up`);
    this.surface.redraw();
  }

  #draw(context, width, height) {
    const { xs, ys } = this.points;
    if (xs.length < 2) return;
    const across = padded(xs);
    const up = padded(ys);
    const ticks = numberTicks(...up, height / 52);
    const room = Math.max(34, ...ticks.map(({ text }) => context.measureText(text).width + 10));
    const box = { left: 2, right: width - room, top: 8, bottom: height - 38 };
    const toX = (v) => box.left + ((v - across[0]) / (across[1] - across[0])) * (box.right - box.left);
    const toY = (v) => box.bottom - ((v - up[0]) / (up[1] - up[0])) * (box.bottom - box.top);
    drawValueAxis(context, box, ticks, toY);
    context.textAlign = "center";
    context.textBaseline = "top";
    context.beginPath();
    for (const { at, text } of numberTicks(...across, width / 90)) {
      const px = Math.round(toX(at)) + 0.5;
      context.moveTo(px, box.top);
      context.lineTo(px, box.bottom);
      const half = context.measureText(text).width / 2;
      if (px - half >= 0 && px + half <= width) context.fillText(text, px, box.bottom + 6);
    }
    context.stroke();
    context.fillStyle = colour("muted");
    context.fillText(isolated(this.x), (box.left + box.right) / 2, box.bottom + 22);
    context.textAlign = "left";
    context.fillText(isolated(this.y), box.left + 5, box.top + 2);
    context.fillStyle = colour(this.tint);
    context.globalAlpha = Math.min(0.75, Math.max(0.18, 60 / Math.sqrt(xs.length) / 6));
    const size = xs.length > 3000 ? 1.2 : 2;
    for (let i = 0; i < xs.length; i += 1) {
      context.beginPath();
      context.arc(toX(xs[i]), toY(ys[i]), size, 0, 7);
      context.fill();
    }
    context.globalAlpha = 1;
    const { slope, offset } = fit(xs, ys);
    context.strokeStyle = colour("ink");
    context.lineWidth = 1.2;
    context.save();
    context.beginPath();
    context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    context.clip();
    context.beginPath();
    context.moveTo(toX(across[0]), toY(offset + slope * across[0]));
    context.lineTo(toX(across[1]), toY(offset + slope * across[1]));
    context.stroke();
    context.restore();
  }

  close() {
    this.surface.close();
  }
}

/// Names within a drawn text keep to themselves, whichever way they are read.
const isolated = (text) => `\u2068${text}\u2069`;

function padded(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
  const pad = (high - low) * 0.06 || Math.abs(high) || 1;
  return [low - pad, high + pad];
}

function fit(xs, ys) {
  const mean = (all) => all.reduce((sum, v) => sum + v, 0) / all.length;
  const [mx, my] = [mean(xs), mean(ys)];
  let [sxy, sxx] = [0, 0];
  for (let i = 0; i < xs.length; i += 1) { sxy += (xs[i] - mx) * (ys[i] - my); sxx += (xs[i] - mx) ** 2; }
  const slope = sxx ? sxy / sxx : 0;
  return { slope, offset: my - slope * mx };
}

/// All pairs, similar ones side by side.
export class HeatMap {
  constructor(label, pick) {
    this.pick = pick;
    this.names = [];
    this.hover = null;
    this.surface = new Surface(label, 420, (context, w, h) => this.#draw(context, w, h));
    this.element = this.surface.element;
    this.element.classList.add("heat");
    this.element.addEventListener("pointermove", (event) => this.#point(event));
    this.element.addEventListener("pointerleave", () => { this.hover = null; this.surface.hideTip(); this.surface.redraw(); });
    this.element.addEventListener("click", (event) => { const cell = this.#cell(event); if (cell) this.pick(...cell); });
  }

  /// `names` and `r` in the order of drawing.
  show(names, r, n) {
    Object.assign(this, { names, r, n });
    this.surface.label(`Heat map of the correlations of ${names.length} series with one another, similar ones side by side`);
    this.#fitHeight();
  }

  #fitHeight() {
    const width = this.element.clientWidth || 600;
    this.surface.resize(Math.round(Math.min(width, 640)));
  }

  #draw(context, width, height) {
    const count = this.names.length;
    if (!count) return;
    if (Math.abs(Math.min(width, 640) - height) > 2) return this.#fitHeight();
    context.font = FONT;
    let room = Math.min(110, Math.max(...this.names.map((name) => context.measureText(name).width)) + 10);
    const size = Math.floor(((Math.min(width, height + 60) - room) / count) * 2) / 2;
    const labelled = size >= 11;
    if (!labelled) room = 2;
    const cell = Math.max(1, Math.min((width - room) / count, (height - room) / count));
    this.grid = { left: room, top: room, cell };
    for (let i = 0; i < count; i += 1) {
      for (let k = 0; k < count; k += 1) {
        context.fillStyle = shade(this.r[i][k]);
        context.fillRect(room + k * cell, room + i * cell, Math.max(1, cell - (cell > 8 ? 1 : 0)), Math.max(1, cell - (cell > 8 ? 1 : 0)));
      }
    }
    if (labelled) this.#drawNames(context, room, cell);
    if (cell >= 34) this.#drawNumbers(context, room, cell);
    if (this.hover) {
      context.strokeStyle = colour("ink");
      context.lineWidth = 1.5;
      context.strokeRect(room + this.hover[1] * cell - 0.5, room + this.hover[0] * cell - 0.5, cell, cell);
    }
  }

  #drawNames(context, room, cell) {
    context.textBaseline = "middle";
    this.names.forEach((name, i) => {
      const lit = this.hover && this.hover.includes(i);
      context.fillStyle = colour(lit ? "ink" : "muted");
      const middle = room + (i + 0.5) * cell;
      context.textAlign = "right";
      context.fillText(isolated(clipped(context, name, room - 8)), room - 6, middle);
      context.save();
      context.translate(middle, room - 6);
      context.rotate(-Math.PI / 2);
      context.textAlign = "left";
      context.fillText(isolated(clipped(context, name, room - 8)), 0, 0);
      context.restore();
    });
  }

  #drawNumbers(context, room, cell) {
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.r.forEach((row, i) => row.forEach((r, k) => {
      if (r === null || i === k) return;
      context.fillStyle = Math.abs(r) > 0.62 ? colour("surface") : colour("ink");
      context.fillText(shownR(r, 2), room + (k + 0.5) * cell, room + (i + 0.5) * cell);
    }));
  }

  #cell(event) {
    if (!this.grid) return null;
    const box = this.element.getBoundingClientRect();
    const k = Math.floor((event.clientX - box.left - this.grid.left) / this.grid.cell);
    const i = Math.floor((event.clientY - box.top - this.grid.top) / this.grid.cell);
    const count = this.names.length;
    return i >= 0 && k >= 0 && i < count && k < count ? [i, k] : null;
  }

  #point(event) {
    const cell = this.#cell(event);
    const same = cell && this.hover && cell[0] === this.hover[0] && cell[1] === this.hover[1];
    if (cell) {
      const [i, k] = cell;
      const box = this.element.getBoundingClientRect();
      this.surface.showTip(event.clientX - box.left, event.clientY - box.top,
        el("div", { class: "row" }, bdi(this.names[i]), "×", bdi(this.names[k])),
        el("div", { class: "row" }, el("span", {}, `r ${shownR(this.r[i][k])}`), el("span", { class: "when" }, `n ${value(this.n[i][k])}`)));
    } else this.surface.hideTip();
    if (!same) { this.hover = cell; this.surface.redraw(); }
  }

  close() {
    this.surface.close();
  }
}

function clipped(context, text, width) {
  if (context.measureText(text).width <= width) return text;
  let short = [...text];
  while (short.length > 1 && context.measureText(`${short.join("")}…`).width > width) short = short.slice(0, -1);
  return `${short.join("")}…`;
}

/// From the one colour over the ground to the other.
function shade(r) {
  if (r === null || !Number.isFinite(r)) return colour("sunken");
  const strength = Math.round(Math.min(1, Math.abs(r)) * 100);
  return `color-mix(in oklab, ${colour(r < 0 ? "negative" : "positive")} ${strength}%, ${colour("surface")})`;
}
