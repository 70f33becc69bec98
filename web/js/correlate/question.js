// What is asked: from the address bar, to the address bar, and to the API.

import * as link from "../link.js";
import { DAY, HOUR, iso, MINUTE, parseTime, SECOND, shortTime, WEEK, WIDTHS, YEAR, widthFor, widthMs } from "../format.js";

export const TRANSFORMS = [["level", "Level"], ["diff", "Difference"], ["pct", "Percent change"], ["log_return", "Log return"]];
export const METHODS = [["pearson", "Pearson"], ["spearman", "Spearman"], ["ewma", "Pearson, recent first"]];
export const ORDERS = [["abs", "strongest"], ["desc", "most alike"], ["asc", "most opposed"]];
export const TOPS = ["50", "100", "250", "1000"];
/// The API takes no more.
export const MOST_RANGES = 64;
/// A last value younger than this means that data stream in.
const LIVE_MS = 2 * MINUTE;

export function fromParameters(parameters) {
  const get = (name) => parameters.get(name);
  return {
    namespace: get("ns"),
    measurement: get("m"),
    field: get("f"),
    bucket: get("bucket"),
    transform: oneOf(TRANSFORMS, get("transform"), "log_return"),
    method: oneOf(METHODS, get("method"), "pearson"),
    halfLife: Number(get("half_life")) || 20,
    // The target's id is looked up by its tags: `undefined` until then, `null` if there is no such series.
    target: link.readTags(parameters, "tag"),
    targetId: undefined,
    ranges: parameters.getAll("range").map(readRange).filter(Boolean).slice(0, MOST_RANGES),
    rankBy: get("rank_by") ?? "max",
    order: oneOf(ORDERS, get("order"), "abs"),
    top: TOPS.includes(get("top")) ? get("top") : "100",
    selected: link.readTags(parameters, "with"),
    shownRange: Number(get("in")) || 0,
    zoom: readRange(get("zoom") ?? ""),
    sort: readSort(get("sort")),
    filter: get("filter") ?? "",
    live: get("live") === "1",
  };
}

export function toParameters(state) {
  const parameters = new URLSearchParams();
  const set = (name, value, usual) => { if (value !== undefined && value !== null && value !== "" && String(value) !== String(usual)) parameters.set(name, value); };
  set("ns", state.namespace, "public");
  set("m", state.measurement);
  set("f", state.field);
  set("bucket", state.bucket);
  set("transform", state.transform);
  set("method", state.method, "pearson");
  if (state.method === "ewma") set("half_life", state.halfLife);
  link.writeTags(parameters, "tag", state.target);
  for (const range of state.ranges) parameters.append("range", writeRange(range));
  set("rank_by", state.rankBy, "max");
  set("order", state.order, "abs");
  set("top", state.top, "100");
  link.writeTags(parameters, "with", state.selected);
  set("in", state.shownRange, 0);
  if (state.zoom) set("zoom", writeRange(state.zoom));
  if (state.sort) set("sort", `${state.sort.key}${state.sort.key === "name" ? "" : state.sort.range}-${state.sort.down ? "down" : "up"}`);
  set("filter", state.filter);
  if (state.live) set("live", "1");
  return parameters;
}

const oneOf = (options, value, usual) => (options.some(([key]) => key === value) ? value : usual);

function readSort(text) {
  const parts = /^(name|r|n)(\d*)-(up|down)$/.exec(text ?? "");
  return parts && { key: parts[1], range: Number(parts[2] || 0), down: parts[3] === "down" };
}

/// `from..to`, or `last-15m`: so long until now.
export function readRange(text) {
  const last = /^last-(\w+)$/.exec(text);
  if (last) return Number.isFinite(widthMs(last[1])) ? { last: last[1] } : null;
  const [from, to] = text.split("..").map(parseTime);
  return from < to ? { from, to } : null;
}

const short = (ms) => (ms % DAY === 0 ? iso(ms).slice(0, 10) : iso(ms));
const writeRange = (range) => (range.last ? `last-${range.last}` : `${short(range.from)}..${short(range.to)}`);

/// A range's bounds now.
export function bounds(range, moment = Date.now()) {
  const now = Math.floor(moment / SECOND) * SECOND;
  return range.last ? { from: now - widthMs(range.last), to: now } : range;
}

/// A range in words.
export const rangeName = (range) => (range.last ? `last ${range.last}` : `${shortTime(range.from)} – ${shortTime(range.to)}`);
export const rangeBegin = (range) => (range.last ? `last ${range.last}` : shortTime(range.from).slice(0, 10));

// With its namespace, so that no two questions of the same names are taken for one.
const shared = (state) => ({ ...(state.namespace && { namespace: state.namespace }), measurement: state.measurement, field: state.field, bucket: state.bucket, transform: state.transform });
const between = ({ from, to }) => ({ from: iso(from), to: iso(to) });
const method = (state) => (state.method === "ewma" ? { ewma: { half_life: state.halfLife } } : state.method);

export function correlateQuestion(state, now) {
  const question = { ...shared(state), target: { series_id: state.targetId }, ranges: state.ranges.map((range) => between(bounds(range, now))), top: Number(state.top), stats: ["p_value", "ci95"] };
  if (state.method !== "pearson") question.method = method(state);
  if (state.order !== "abs") question.order = state.order;
  if (state.rankBy !== "max" && Number(state.rankBy) < state.ranges.length) question.rank_by = Number(state.rankBy);
  return question;
}

export function matrixQuestion(state, range, ids) {
  const question = { ...shared(state), series: { series_id: ids }, ...between(bounds(range)), cluster: true };
  if (state.method === "spearman") question.method = "spearman";
  return question;
}

export const windowQuestion = (state, range, ids, changes = {}) => ({ ...shared(state), series: { series_id: ids }, ...between(bounds(range)), ...changes });

export const rollingQuestion = (state, range, target, against, window) =>
  ({ ...shared(state), target: { series_id: target }, against: { series_id: against }, ...between(bounds(range)), window, min_overlap: Math.min(10, window) });

export const isLive = (info, now = Date.now()) => Boolean(info.to) && now - Date.parse(info.to) < LIVE_MS;

/// What is asked about a measurement if nobody has said.
export function complete(state, measurements) {
  const usable = measurements.filter((one) => numeric(one).length);
  const info = measurements.find(({ name }) => name === state.measurement)
    ?? (state.measurement ? null : usable.find(({ name }) => name === "prices") ?? usable.toSorted((a, b) => b.series - a.series)[0]);
  if (!info) return null;
  state.measurement = info.name;
  const fields = numeric(info);
  if (!fields.includes(state.field)) state.field = ["close", "price", "value"].find((name) => fields.includes(name)) ?? fields[0];
  if (!Number.isFinite(widthMs(state.bucket))) state.bucket = usualBucket(info);
  if (!state.ranges.length) state.ranges = usualRanges(info);
  return info;
}

export const numeric = (info) => info.fields.filter(({ type }) => type !== "text" && !/time/.test(type)).map(({ name }) => name);

export function span(info) {
  return info.from && info.to ? { from: Date.parse(info.from), to: Date.parse(info.to) } : null;
}

function usualBucket(info) {
  const covered = span(info);
  if (!covered) return "1m";
  const apart = (covered.to - covered.from) / Math.max(1, info.rows / Math.max(1, info.series));
  return widthFor(Math.max(apart * 0.6, (covered.to - covered.from) / 50_000));
}

function usualRanges(info) {
  const covered = span(info);
  if (!covered) return [];
  const { from, to } = covered;
  if (isLive(info)) return [{ last: to - from > 10 * MINUTE ? "15m" : "5m" }];
  if (to - from > 4 * YEAR) {
    const year = new Date(to).getUTCFullYear();
    return [year - 2, year - 1].map((one) => ({ from: Date.UTC(one, 0), to: Date.UTC(one + 1, 0) }));
  }
  const step = to - from > 8 * DAY ? DAY : to - from > 8 * HOUR ? HOUR : MINUTE;
  const end = Math.ceil(to / step) * step + (to % step === 0 ? step : 0);
  return [{ from: Math.floor((from + (to - from) / 2) / step) * step, to: end }];
}

/// Ranges to choose from, those that the data can fill: `{text, ranges, replace}`.
export function presets(info, bucket) {
  const covered = span(info);
  if (!covered) return [];
  const live = isLive(info);
  const least = 20 * widthMs(bucket);
  const lengths = [["5 minutes", "5m"], ["15 minutes", "15m"], ["hour", "1h"], ["6 hours", "6h"], ["day", "1d"], ["week", "1w"], ["month", "1mo"], ["quarter", "3mo"], ["year", "12mo"], ["5 years", "60mo"]];
  const whole = covered.to - covered.from;
  const end = covered.to + widthMs(bucket);
  const floor = widthMs(bucket) >= DAY ? DAY : MINUTE;
  const lasts = lengths.filter(([, width]) => widthMs(width) >= least && widthMs(width) <= whole * 1.05).map(([name, width]) => ({
    text: `Last ${name}`,
    ranges: [live ? { last: width } : { from: Math.floor((end - widthMs(width)) / floor) * floor, to: Math.ceil(end / floor) * floor }],
  }));
  const year = new Date(covered.to).getUTCFullYear();
  const first = new Date(covered.from).getUTCFullYear();
  const years = year - first >= 2 && least < YEAR
    ? [{ text: "Each of the last 5 years", ranges: Array.from({ length: Math.min(5, year - first + 1) }, (_, k) => ({ from: Date.UTC(year - k, 0), to: Date.UTC(year - k + 1, 0) })).reverse(), replace: true }] : [];
  const crises = [["Financial crisis 2008–09", "2008-09-01..2009-04-01"], ["Covid crash 2020", "2020-02-15..2020-06-01"]].map(([text, range]) => ({ text, range: readRange(range) }))
    .filter(({ range }) => range.from >= covered.from && range.to <= covered.to && range.to - range.from >= least).map(({ text, range }) => ({ text, ranges: [range] }));
  return [...lasts, ...years, ...crises, { text: "Everything", ranges: [{ from: Math.floor(covered.from / floor) * floor, to: Math.ceil(end / floor) * floor }], replace: true }];
}

/// Where ranges begin and end: at buckets.
export function snapTo(bucket) {
  const width = widthMs(bucket);
  const step = width > DAY && width !== WEEK ? DAY : width === WEEK ? DAY : width;
  return (ms) => Math.round(ms / step) * step;
}

/// The bucket of a chart so long and wide.
export const chartBucket = (length, pixels, least) => {
  const wanted = Math.max(length / Math.max(pixels * 2.5, 600), widthMs(least));
  return (WIDTHS.find(([, width]) => width >= wanted * 0.999) ?? WIDTHS.at(-1))[0];
};
