// Two reports figure by figure, judged as `chunkwise bench compare` judges: by the noise of the raw samples.

/// More is no verdict: so likely it may be that samples lie apart by chance.
const CHANCE = 0.05;

export const VERDICTS = {
  better: "better", worse: "worse", unclear: "within the noise", unknown: "too few samples",
};

/// How many of the least samples lie below the interval: so many coins show heads with less than 2.5 % probability.
function outside(count) {
  let [sum, log, heads] = [0, -count * Math.LN2, 0];
  for (; heads < count; heads += 1) {
    sum += Math.exp(log);
    if (sum > 0.025) break;
    log += Math.log((count - heads) / (heads + 1));
  }
  return Math.max(0, heads - 1);
}

/// The ends of the interval that the median is in with 95 % probability; of fewer than six samples the least and the greatest.
export function interval(samples) {
  if (!samples.length) return [NaN, NaN];
  const sorted = Float64Array.from(samples).sort();
  const left = Math.min(outside(sorted.length), Math.floor((sorted.length - 1) / 2));
  return [sorted[left], sorted[sorted.length - 1 - left]];
}

/// How likely it is that all samples of one lie above all of the other's, or below, if there is no difference.
function chanceApart(a, b) {
  let orders = 1;
  for (let at = 1; at <= Math.min(a, b); at += 1) orders *= (Math.max(a, b) + at) / at;
  return 2 / orders;
}

function judge(a, b, better) {
  if (chanceApart(a.samples.length, b.samples.length) > CHANCE) return "unknown";
  const [rises, falls] = [b.noise[0] > a.noise[1], b.noise[1] < a.noise[0]];
  if (!rises && !falls) return "unclear";
  return rises === (better === "higher") ? "better" : "worse";
}

const side = (metric) => metric && { value: metric.value, samples: metric.samples, noise: interval(metric.samples) };

/// Figures of one report or two: `{key, group, name, figure, unit, better, a, b, change, verdict}`, ratios first within a group.
/// `reports` are `{benchmark, metrics}`; in a report of all benchmarks a figure's name begins with its benchmark.
export function figures([first, second]) {
  const rows = new Map();
  const take = (report, which) => {
    for (const metric of report?.metrics ?? []) {
      const name = report.benchmark === "all" ? metric.name : `${report.benchmark}.${metric.name}`;
      const key = `${name} ${metric.unit}`;
      const dot = name.indexOf(".");
      const row = rows.get(key) ?? { key, figure: metric.name, group: name.slice(0, dot), name: name.slice(dot + 1), unit: metric.unit, better: metric.better, a: null, b: null };
      rows.set(key, row);
      row[which] = side(metric);
    }
  };
  // In the second one's order, as it is mostly the newer one.
  if (second) take(second, "b");
  take(first, "a");
  const all = [...rows.values()];
  for (const row of all) {
    const { a, b } = row;
    const change = a && b ? ((b.value - a.value) / Math.abs(a.value)) * 100 : NaN;
    row.change = Number.isFinite(change) ? change : null;
    row.verdict = a && b ? judge(a, b, row.better) : null;
  }
  const groups = [...new Set(all.map(({ group }) => group))];
  return groups.flatMap((group) => {
    const own = all.filter((row) => row.group === group);
    return [...own.filter(({ unit }) => unit === "ratio"), ...own.filter(({ unit }) => unit !== "ratio")];
  });
}

/// What environments say, flat: `{name: text}`.
export function flat(environment) {
  const found = {};
  for (const [name, value] of Object.entries(environment ?? {})) {
    if (value && typeof value === "object") Object.assign(found, flat(value));
    else found[name] = value;
  }
  return found;
}
