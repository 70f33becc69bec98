// Lines over numbers, linear or by powers of ten.

import { bdi, el } from "../dom.js";
import { compact } from "../format.js";
import { colour } from "../theme.js";
import { drawValueAxis, logTicks, numberTicks } from "./axes.js";
import { Surface } from "./surface.js";

/// With so few points each is marked.
const MARKED = 14;

export class Plot {
  #hover = null;

  constructor(label, height = 220) {
    this.lines = [];
    this.surface = new Surface(label, height, (context, width, tall) => this.#draw(context, width, tall));
    this.element = this.surface.element;
    this.element.addEventListener("pointermove", (event) => this.#point(event));
    this.element.addEventListener("pointerleave", () => { this.#hover = null; this.surface.hideTip(); this.surface.redraw(); });
  }

  /// `lines`: `{name, tint, dash, points: [[x, y]]}` by x; `x` and `y`: `{label, log, zero}`.
  show(lines, { x, y }) {
    const isShown = ([px, py]) => Number.isFinite(px) && Number.isFinite(py) && (!x.log || px > 0) && (!y.log || py > 0);
    this.lines = lines.map((line) => ({ ...line, points: line.points.filter(isShown) }));
    this.axes = { x, y };
    this.surface.redraw();
  }

  #draw(context, width, height) {
    const points = this.lines.flatMap((line) => line.points);
    if (!points.length) return;
    const { x, y } = this.axes;
    const [across, up] = [span(points.map(([px]) => px), x, 0), span(points.map(([, py]) => py), y, 0.06)];
    const ticks = named(y.log ? logTicks(...up) : numberTicks(...up, height / 46));
    const room = Math.max(30, ...ticks.map(({ text }) => context.measureText(text).width + 10));
    const box = { left: 6, right: width - room, top: 8, bottom: height - 40 };
    const place = (axis, [low, high], begin, end) => {
      const scale = axis.log ? Math.log : (value) => value;
      return (value) => begin + ((scale(value) - scale(low)) / (scale(high) - scale(low) || 1)) * (end - begin);
    };
    this.toX = place(x, across, box.left, box.right);
    this.toY = place(y, up, box.bottom, box.top);
    this.box = box;
    drawValueAxis(context, box, ticks, this.toY);
    this.#drawAcross(context, box, named(x.log ? logTicks(...across) : numberTicks(...across, width / 96)));
    for (const line of this.lines) this.#drawLine(context, line);
    if (this.#hover !== null) this.#drawHover(context);
  }

  #drawAcross(context, box, ticks) {
    context.textAlign = "center";
    context.textBaseline = "top";
    context.beginPath();
    let free = -Infinity;
    for (const { at, text } of ticks) {
      const px = Math.round(this.toX(at)) + 0.5;
      context.moveTo(px, box.top);
      context.lineTo(px, box.bottom);
      const half = context.measureText(text).width / 2;
      if (px - half < Math.max(0, free) || px + half > box.right + 12) continue;
      context.fillText(text, px, box.bottom + 6);
      free = px + half + 8;
    }
    context.stroke();
    context.fillStyle = colour("muted");
    context.fillText(this.axes.x.label, (box.left + box.right) / 2, box.bottom + 23);
  }

  #drawLine(context, { points, tint, dash }) {
    context.strokeStyle = context.fillStyle = colour(tint);
    context.lineWidth = 1.6;
    context.lineJoin = "round";
    context.setLineDash(dash ?? []);
    context.beginPath();
    points.forEach(([px, py], at) => (at ? context.lineTo(this.toX(px), this.toY(py)) : context.moveTo(this.toX(px), this.toY(py))));
    context.stroke();
    context.setLineDash([]);
    if (points.length > MARKED) return;
    for (const [px, py] of points) {
      context.beginPath();
      context.arc(this.toX(px), this.toY(py), 2.6, 0, 7);
      context.fill();
    }
  }

  #drawHover(context) {
    const px = Math.round(this.toX(this.#hover)) + 0.5;
    context.strokeStyle = colour("faint");
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(px, this.box.top);
    context.lineTo(px, this.box.bottom);
    context.stroke();
    context.setLineDash([]);
  }

  #point(event) {
    if (!this.toX) return;
    const place = this.element.getBoundingClientRect();
    const [px, py] = [event.clientX - place.left, event.clientY - place.top];
    const near = this.lines.map((line) => closest(line.points, (at) => Math.abs(this.toX(at) - px)));
    const nearest = near.filter(Boolean).reduce((best, point) => (!best || Math.abs(this.toX(point[0]) - px) < Math.abs(this.toX(best[0]) - px) ? point : best), null);
    if (!nearest) return;
    [this.#hover] = nearest;
    const rows = this.lines.map((line, at) => near[at] && Math.abs(this.toX(near[at][0]) - this.toX(nearest[0])) < 8 && [line.name, near[at][1]]).filter(Boolean);
    const { x, y } = this.axes;
    this.surface.showTip(px, py, el("div", { class: "when" }, `${compact(nearest[0])} ${x.label}`),
      rows.map(([name, value]) => el("div", { class: "row" }, bdi(name), el("span", {}, `${compact(value)} ${y.label}`))));
    this.surface.redraw();
  }

  close() {
    this.surface.close();
  }
}

const named = (ticks) => ticks.map(({ at, text }) => ({ at, text: Math.abs(at) >= 10_000 ? compact(at) : text }));

function span(values, { log, zero }, pad) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) { if (value < low) low = value; if (value > high) high = value; }
  if (zero) low = Math.min(low, 0);
  if (log) return [low / (1 + pad), high * (1 + pad) * (low === high ? 1.5 : 1)];
  const room = (high - low) * pad || (low === high ? Math.abs(high) || 1 : 0);
  return [zero && low === 0 ? 0 : low - room, high + room];
}

function closest(points, distance) {
  let best = null;
  for (const point of points) if (!best || distance(point[0]) < distance(best[0])) best = point;
  return best;
}
