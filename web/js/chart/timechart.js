// Lines over time. Gaps are gaps. Of more points than pixels, each pixel shows the least and the greatest.

import { bdi, el } from "../dom.js";
import { DAY, moment, value as shownValue } from "../format.js";
import { colour } from "../theme.js";
import { drawTimeAxis, drawValueAxis, logTicks, numberTicks, timeTicks } from "./axes.js";
import { Surface } from "./surface.js";

/// Two values further apart than so many of a series' longer steps have a gap between them.
const GAP_STEPS = 3;
/// With more points than so many a pixel, each column of pixels is drawn at once.
const DENSE = 1.5;
/// A path of thousands of edges takes a browser many times as long as its pieces do.
const PIECE = 100;

export class TimeChart {
  constructor(label, { height = 220, format = shownValue, log = false, zero = false, bounds = null } = {}) {
    Object.assign(this, { format, log, zero, bounds, lines: [], candles: null, domain: null, width: DAY, box: { left: 0, right: 1, top: 8, bottom: 1 } });
    this.hover = null;
    this.surface = new Surface(label, height, (context, w, h) => this.#draw(context, w, h));
    this.element = this.surface.element;
    this.element.addEventListener("pointermove", (event) => this.#point(event));
    this.element.addEventListener("pointerleave", () => { this.hover = null; this.surface.hideTip(); this.surface.redraw(); });
    this.onLayout = null;
  }

  /// `lines`: `{name, tint, times, values}`, tint being a colour's name; `domain` `[from, to]` is theirs if not given;
  /// `width` of the buckets in milliseconds.
  show(lines, { domain = null, width = DAY, candles = null } = {}) {
    this.lines = lines;
    this.candles = candles;
    this.width = width;
    const times = (candles ? [candles] : lines).map((line) => line.times).filter((times) => times.length);
    const from = Math.min(...times.map((times) => times[0]));
    const to = Math.max(...times.map((times) => times.at(-1)));
    this.domain = domain ?? (times.length ? [from, to > from ? to : from + width] : null);
    this.surface.redraw();
  }

  toX(time) {
    const [from, to] = this.domain;
    return this.box.left + ((time - from) / (to - from)) * (this.box.right - this.box.left);
  }

  toTime(x) {
    const [from, to] = this.domain;
    return from + ((x - this.box.left) / (this.box.right - this.box.left)) * (to - from);
  }

  #extent() {
    let low = Infinity;
    let high = -Infinity;
    const [from, to] = this.domain;
    const take = (times, lows, highs) => {
      for (let i = 0; i < times.length; i += 1) {
        if (times[i] < from || times[i] > to) continue;
        if (lows[i] < low) low = lows[i];
        if (highs[i] > high) high = highs[i];
      }
    };
    for (const line of this.lines) take(line.times, line.values, line.values);
    if (this.candles) take(this.candles.times, this.candles.low, this.candles.high);
    if (this.bounds) return this.bounds;
    if (low > high) return null;
    if (this.zero) { low = Math.min(low, 0); high = Math.max(high, 0); }
    if (low === high) { low -= Math.abs(low) * 0.01 || 1; high += Math.abs(high) * 0.01 || 1; }
    return [low, high];
  }

  #draw(context, width, height) {
    if (!this.domain) return;
    const extent = this.#extent();
    const log = this.log && extent && extent[0] > 0;
    const ticks = extent ? (log ? logTicks(...extent) : numberTicks(...extent, Math.max(2, height / 52))) : [];
    const room = Math.max(34, ...ticks.map(({ text }) => context.measureText(text).width + 10));
    this.box = { left: 2, right: width - room, top: 10, bottom: height - 24 };
    const { box } = this;
    drawTimeAxis(context, box, timeTicks(...this.domain, box.right - box.left), (time) => this.toX(time));
    this.onLayout?.();
    if (!extent) return;
    const [low, high] = log ? extent.map(Math.log) : extent;
    const pad = (high - low) * (this.bounds ? 0.02 : 0.05);
    this.toY = (value) => box.bottom - (((log ? Math.log(value) : value) - low + pad) / (high - low + 2 * pad)) * (box.bottom - box.top);
    drawValueAxis(context, box, ticks, this.toY);
    context.save();
    context.beginPath();
    context.rect(box.left, 0, box.right - box.left, height);
    context.clip();
    if (this.candles) this.#drawCandles(context);
    for (const line of this.lines) this.#drawLine(context, line);
    context.restore();
    if (this.hover) this.#drawHover(context);
  }

  #drawLine(context, line) {
    const { times, values } = line;
    const gap = longerStep(times, values, this.width) * GAP_STEPS;
    context.strokeStyle = colour(line.tint);
    context.fillStyle = colour(line.tint);
    context.lineWidth = line.thick ?? 1.4;
    context.lineJoin = "bevel";
    const start = Math.max(0, lowerBound(times, this.domain[0]) - 1);
    const end = Math.min(times.length, lowerBound(times, this.domain[1]) + 2);
    if (end - start > DENSE * (this.box.right - this.box.left)) this.#drawColumns(context, line, start, end, gap);
    else this.#drawPoints(context, line, start, end, gap);
  }

  #drawPoints(context, { times, values }, start, end, gap) {
    const lone = [];
    let last = -Infinity;
    let drawn = 0;
    context.beginPath();
    for (let i = start; i < end; i += 1) {
      if (!Number.isFinite(values[i])) continue;
      const [x, y] = [this.toX(times[i]), this.toY(values[i])];
      if (times[i] - last > gap) {
        context.moveTo(x, y);
        let next = i + 1;
        while (next < end && !Number.isFinite(values[next])) next += 1;
        if (next >= end || times[next] - times[i] > gap) lone.push([x, y]);
      } else context.lineTo(x, y);
      last = times[i];
      drawn += 1;
      if (drawn % PIECE === 0) {
        context.stroke();
        context.beginPath();
        context.moveTo(x, y);
      }
    }
    context.stroke();
    for (const [x, y] of lone) { context.beginPath(); context.arc(x, y, 1.6, 0, 7); context.fill(); }
  }

  /// A column of pixels from the least to the greatest of the values there, and to where the line comes from.
  #drawColumns(context, { times, values }, start, end, gap) {
    const half = context.lineWidth / 2;
    let before = null;
    context.beginPath();
    for (let i = start; i < end;) {
      if (!Number.isFinite(values[i])) { i += 1; continue; }
      const pixel = Math.floor(this.toX(times[i]));
      let [low, high, final, after] = [values[i], values[i], values[i], i + 1];
      for (; after < end && Math.floor(this.toX(times[after])) === pixel; after += 1) {
        const value = values[after];
        if (!Number.isFinite(value)) continue;
        if (value < low) low = value;
        if (value > high) high = value;
        final = value;
      }
      if (before && times[i] - before.time <= gap) {
        if (pixel - before.pixel > 1) {
          context.moveTo(before.pixel + 0.5, this.toY(before.value));
          context.lineTo(pixel + 0.5, this.toY(values[i]));
        } else {
          low = Math.min(low, before.value);
          high = Math.max(high, before.value);
        }
      }
      const top = this.toY(high);
      context.fillRect(pixel, top - half, 1, this.toY(low) - top + 2 * half);
      before = { pixel, value: final, time: times[after - 1] };
      i = after;
    }
    context.stroke();
  }

  #drawCandles(context) {
    const { times, open, high, low, close } = this.candles;
    const wide = Math.max(1, Math.min(14, (this.toX(times[0] + this.width) - this.toX(times[0])) * 0.64));
    for (const [up, tint] of [[true, "good"], [false, "bad"]]) {
      context.strokeStyle = colour(tint);
      context.fillStyle = colour(tint);
      context.lineWidth = 1;
      context.beginPath();
      for (let i = 0; i < times.length; i += 1) {
        if (close[i] >= open[i] !== up) continue;
        const x = Math.round(this.toX(times[i] + this.width / 2)) + 0.5;
        context.moveTo(x, this.toY(high[i]));
        context.lineTo(x, this.toY(low[i]));
        const top = this.toY(Math.max(open[i], close[i]));
        const tall = Math.max(1, this.toY(Math.min(open[i], close[i])) - top);
        if (wide > 1.5) context.fillRect(x - wide / 2, top, wide, tall);
      }
      context.stroke();
    }
  }

  #drawHover(context) {
    const x = Math.round(this.toX(this.hover.time)) + 0.5;
    context.strokeStyle = colour("faint");
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(x, this.box.top);
    context.lineTo(x, this.box.bottom);
    context.stroke();
    context.setLineDash([]);
    for (const { value, tint } of this.hover.dots) {
      context.fillStyle = colour(tint);
      context.strokeStyle = colour("surface");
      context.lineWidth = 2;
      context.beginPath();
      context.arc(x, this.toY(value), 4, 0, 7);
      context.fill();
      context.stroke();
    }
  }

  #point(event) {
    if (!this.domain || !this.toY || event.buttons) { this.hover = null; this.surface.hideTip(); return; }
    const box = this.element.getBoundingClientRect();
    const x = event.clientX - box.left;
    if (x > this.box.right) return;
    const asked = this.toTime(x);
    const times = this.candles?.times ?? this.lines[0]?.times ?? [];
    const at = nearest(times, asked - (this.candles ? this.width / 2 : 0));
    if (at < 0) return;
    const time = times[at];
    const rows = this.lines.map((line) => {
      const index = nearest(line.times, time);
      const value = index >= 0 && Math.abs(line.times[index] - time) < this.width ? line.values[index] : NaN;
      return { name: line.name, tint: line.tint, value };
    });
    this.hover = { time: this.candles ? time + this.width / 2 : time, dots: rows.filter(({ value }) => Number.isFinite(value)) };
    const bar = this.candles && ["open", "high", "low", "close"].map((name) => ({ name, value: this.candles[name][at] }));
    this.surface.showTip(x, event.clientY - box.top,
      el("div", { class: "when" }, moment(time, this.width)),
      [...rows, ...(bar || [])].map((row) => el("div", { class: "row" }, bdi(row.name), el("span", {}, this.format(row.value)))));
    this.surface.redraw();
  }

  close() {
    this.surface.close();
  }
}

/// The place of the first that is not less.
export function lowerBound(sorted, value) {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearest(times, time) {
  if (!times.length) return -1;
  const at = lowerBound(times, time);
  if (at === 0) return 0;
  if (at === times.length) return at - 1;
  return times[at] - time < time - times[at - 1] ? at : at - 1;
}

/// The step that nine of ten values are not further apart than: over a weekend, say, or as irregular values come.
function longerStep(times, values, width) {
  const steps = [];
  let last = null;
  for (let i = 0; i < times.length; i += 1) {
    if (!Number.isFinite(values[i])) continue;
    if (last !== null) steps.push(times[i] - last);
    last = times[i];
  }
  if (steps.length < 2) return width;
  return Math.max(width, Float64Array.from(steps).sort()[Math.floor(steps.length * 0.9)]);
}
