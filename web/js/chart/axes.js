// Ticks of times and numbers, and the lines behind a chart.

import { DAY, HOUR, MINUTE, SECOND } from "../format.js";
import { colour } from "../theme.js";

const STEPS = [1, 2, 5, 10, 50, 100, 250, 500].concat(
  [1, 2, 5, 10, 15, 30].map((n) => n * SECOND), [1, 2, 5, 10, 15, 30].map((n) => n * MINUTE), [1, 2, 3, 6, 12].map((n) => n * HOUR), [1, 2, 7, 14].map((n) => n * DAY));
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Times at which a chart has lines, `{at, text}`, some `room` pixels apart.
export function timeTicks(from, to, width, room = width < 480 ? 62 : 88) {
  const rough = ((to - from) / Math.max(width, 1)) * room;
  const step = STEPS.find((one) => one >= rough);
  return step ? evenTicks(from, to, step) : calendarTicks(from, to, rough);
}

function evenTicks(from, to, step) {
  const ticks = [];
  for (let at = Math.ceil(from / step) * step; at <= to && ticks.length < 100; at += step) {
    const time = new Date(at);
    const text = time.toISOString();
    const day = `${MONTHS[time.getUTCMonth()]} ${time.getUTCDate()}`;
    const short = step >= DAY ? (time.getUTCMonth() === 0 && time.getUTCDate() <= step / DAY ? String(time.getUTCFullYear()) : day)
      : at % DAY === 0 ? day : text.slice(11, step >= MINUTE ? 16 : step >= SECOND ? 19 : 23);
    ticks.push({ at, text: short });
  }
  return ticks;
}

function calendarTicks(from, to, rough) {
  const month = 30.44 * DAY;
  const months = [1, 2, 3, 6].find((n) => n * month >= rough) ?? [12, 24, 60, 120, 240, 600, 1200].find((n) => n * month >= rough) ?? 12000;
  const ticks = [];
  const start = new Date(from);
  let index = Math.floor((start.getUTCFullYear() * 12 + start.getUTCMonth()) / months) * months;
  for (; ticks.length < 100; index += months) {
    const at = Date.UTC(Math.floor(index / 12), index % 12, 1);
    if (at > to) break;
    if (at >= from) ticks.push({ at, text: index % 12 === 0 ? String(Math.floor(index / 12)) : MONTHS[index % 12] });
  }
  return ticks;
}

/// Round numbers between two, about `wanted` of them.
export function numberTicks(low, high, wanted = 5) {
  const rough = (high - low) / Math.max(wanted, 1) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough) ?? power;
  const digits = Math.max(0, -Math.floor(Math.log10(step)) + (step / power === 2.5 ? 1 : 0));
  const ticks = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9 && ticks.length < 50; k += 1) {
    // Not −0.
    const at = k * step || 0;
    const text = Math.abs(at) >= 1e6 || (at !== 0 && Math.abs(at) < 1e-5) ? at.toExponential(1) : at.toLocaleString("en-US", { maximumFractionDigits: Math.min(digits, 8) });
    ticks.push({ at, text: text.replace("-", "−") });
  }
  return ticks;
}

/// The same for a logarithmic axis.
export function logTicks(low, high) {
  const ticks = [];
  const decades = Math.log10(high / low);
  const steps = decades > 4 ? [1] : decades > 1.6 ? [1, 2, 5] : decades > 0.7 ? [1, 1.5, 2, 3, 5, 7] : null;
  if (!steps) return numberTicks(low, high, 5).filter(({ at }) => at > 0);
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const step of steps) {
      const at = step * 10 ** power;
      if (at >= low && at <= high) ticks.push({ at, text: at.toLocaleString("en-US", { maximumSignificantDigits: 3 }) });
    }
  }
  return ticks;
}

/// Lines and texts of an axis within the box `{left, right, top, bottom}`.
export function drawTimeAxis(context, box, ticks, toX) {
  context.strokeStyle = colour("grid");
  context.fillStyle = colour("faint");
  context.lineWidth = 1;
  context.textAlign = "center";
  context.textBaseline = "top";
  context.beginPath();
  for (const { at, text } of ticks) {
    const x = Math.round(toX(at)) + 0.5;
    if (x < box.left || x > box.right) continue;
    context.moveTo(x, box.top);
    context.lineTo(x, box.bottom);
    const half = context.measureText(text).width / 2;
    if (x - half >= 0 && x + half <= box.right + 4) context.fillText(text, x, box.bottom + 7);
  }
  context.stroke();
}

export function drawValueAxis(context, box, ticks, toY) {
  context.strokeStyle = colour("grid");
  context.fillStyle = colour("faint");
  context.lineWidth = 1;
  context.textAlign = "left";
  context.textBaseline = "middle";
  context.beginPath();
  for (const { at, text } of ticks) {
    const y = Math.round(toY(at)) + 0.5;
    if (y < box.top - 1 || y > box.bottom + 1) continue;
    context.moveTo(box.left, y);
    context.lineTo(box.right, y);
    context.fillText(text, box.right + 7, y);
  }
  context.stroke();
}
