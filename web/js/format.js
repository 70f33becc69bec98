// Numbers, times, widths and names as people read and type them. Times are milliseconds since 1970, in UTC.

export const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR, WEEK = 7 * DAY, YEAR = 365.2425 * DAY;

/// Widths of buckets, narrow to wide.
export const WIDTHS = [
  ["250ms", 250], ["1s", SECOND], ["5s", 5 * SECOND], ["10s", 10 * SECOND], ["30s", 30 * SECOND], ["1m", MINUTE], ["5m", 5 * MINUTE],
  ["15m", 15 * MINUTE], ["30m", 30 * MINUTE], ["1h", HOUR], ["2h", 2 * HOUR], ["6h", 6 * HOUR], ["12h", 12 * HOUR], ["1d", DAY], ["1w", WEEK], ["1mo", 30.44 * DAY],
];

const UNITS = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: WEEK, mo: 30.44 * DAY };

/// A width's milliseconds; `NaN` if it is none.
export function widthMs(text) {
  const parts = /^(\d+)(ms|s|mo|m|h|d|w)$/.exec(text ?? "");
  return parts ? Number(parts[1]) * UNITS[parts[2]] : NaN;
}

/// The narrowest width of at least so many milliseconds.
export const widthFor = (ms) => (WIDTHS.find(([, width]) => width >= ms) ?? WIDTHS.at(-1))[0];

/// A time as the API takes it.
export const iso = (ms) => new Date(ms).toISOString().replace(/\.000Z$/, "Z");

/// A time as short as it can be said: `2020-01-01`, `2020-01-01 09:30`, `2020-01-01 09:30:15`.
export function shortTime(ms) {
  const text = new Date(ms).toISOString();
  if (ms % DAY === 0) return text.slice(0, 10);
  if (ms % MINUTE === 0) return `${text.slice(0, 10)} ${text.slice(11, 16)}`;
  return `${text.slice(0, 10)} ${text.slice(11, ms % SECOND === 0 ? 19 : 23)}`;
}

/// A moment of a bucket of such a width.
export function moment(ms, width) {
  const text = new Date(ms).toISOString();
  if (width >= DAY) return text.slice(0, 10);
  return `${text.slice(0, 10)} ${text.slice(11, width >= MINUTE ? 16 : width >= SECOND ? 19 : 23)}`;
}

/// What somebody typed as a time in UTC: a year, a month, a day, with hours, minutes and seconds if they like. `NaN` if it is none.
export function parseTime(text) {
  const parts = /^\s*(\d{4})(?:-(\d{1,2})(?:-(\d{1,2})(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3})\d*)?)?\s*Z?)?)?)?\s*$/i.exec(text);
  if (!parts) return NaN;
  const [, year, month = 1, day = 1, hour = 0, minute = 0, second = 0, fraction = "0"] = parts;
  const ms = Date.UTC(+year, +month - 1, +day, +hour, +minute, +second, +fraction.padEnd(3, "0"));
  const back = new Date(ms);
  const isReal = back.getUTCMonth() === +month - 1 && back.getUTCDate() === +day && +hour < 24 && +minute < 60 && +second < 60;
  return isReal ? ms : NaN;
}

/// How long something is, in the unit that says it best.
export function duration(ms) {
  const units = [["y", YEAR], ["mo", 30.44 * DAY], ["d", DAY], ["h", HOUR], ["min", MINUTE], ["s", SECOND]];
  const [unit, size] = units.find(([name, width]) => ms >= (name === "mo" ? 2 : 1) * width * 0.995) ?? ["ms", 1];
  const count = ms / size;
  return `${count >= 10 || Math.abs(count - Math.round(count)) < 0.05 ? Math.round(count) : count.toFixed(1)} ${unit}`;
}

// Made once: `toLocaleString` makes one at each call, which takes longer than all else of a table's cell.
const WHOLE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const DIGITS = [2, 3, 5].map((digits) => new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }));

export const count = (value) => (value === null || value === undefined ? "–" : WHOLE.format(Math.round(value)));

/// 1234567 as 1.23 M.
export function compact(value) {
  if (!Number.isFinite(value)) return "–";
  const [unit, size] = [["G", 1e9], ["M", 1e6], ["k", 1e3]].find(([, least]) => Math.abs(value) >= least) ?? ["", 1];
  const scaled = value / size;
  return `${Math.abs(scaled) >= 100 || Number.isInteger(scaled) ? Math.round(scaled) : scaled.toPrecision(3)}${unit && ` ${unit}`}`;
}

export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  const [unit, size] = [["GB", 1e9], ["MB", 1e6], ["kB", 1e3]].find(([, least]) => value >= least) ?? ["B", 1];
  const scaled = value / size;
  return `${scaled >= 100 || size === 1 ? Math.round(scaled) : scaled.toPrecision(3)} ${unit}`;
}

/// A correlation, with a real minus and always as wide.
export const r = (value, digits = 4) => (value === null || !Number.isFinite(value) ? "–" : value.toFixed(digits).replace("-", "−"));

/// A value of a series, with as many digits as say something.
export function value(x) {
  if (x === null || !Number.isFinite(x)) return "–";
  const size = Math.abs(x);
  if (size !== 0 && (size < 1e-3 || size >= 1e9)) return x.toExponential(2).replace("-", "−");
  return DIGITS[size >= 100 ? 0 : size >= 1 ? 1 : 2].format(x).replace("-", "−");
}

export const pValue = (p) => (p === null || p === undefined ? "–" : p < 1e-4 ? p.toExponential(1).replace("-", "−") : p.toFixed(4));

export const ms = (value) => (value >= 100 ? Math.round(value) : value.toFixed(1));

/// A series as its tags say it: the values alone, as the names of tags are the same for all.
export function seriesName(tags) {
  const values = Object.values(tags ?? {});
  return values.length ? values.join(" · ") : "(no tags)";
}

/// Whether two sets of tags are the same.
export function sameTags(a, b) {
  if (!a || !b) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
