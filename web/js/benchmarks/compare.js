// Figures of one report or two. What is said of two is the server's word, which is that of `chunkwise bench compare`.

export const VERDICTS = {
  better: "better", worse: "worse", unclear: "within the noise", unknown: "nothing is said",
};

const keyOf = ({ name, unit }) => `${name} ${unit}`;

/// Whether two reports have a figure in common, so that they can be compared.
export function haveCommon(a, b) {
  const known = new Set(a.metrics.map(keyOf));
  return b.metrics.some((metric) => known.has(keyOf(metric)));
}

const ends = (samples) => (samples.length ? [Math.min(...samples), Math.max(...samples)] : [NaN, NaN]);
const side = ({ value, samples }) => ({ value, samples, noise: ends(samples) });

/// `{key, group, name, figure, unit, better, a, b, change, verdict}`, ratios first within a group. `reports` are
/// `{benchmark, metrics}`; in a report of all benchmarks a figure's name begins with its benchmark. `compared` is the server's
/// answer about both: a figure's noise, and what is said of it.
export function figures([first, second], compared) {
  const rows = new Map();
  const take = (report, which) => {
    for (const metric of report?.metrics ?? []) {
      const key = keyOf(metric);
      const dot = report.benchmark === "all" ? metric.name.indexOf(".") : -1;
      const group = dot < 0 ? report.benchmark : metric.name.slice(0, dot);
      const row = rows.get(key) ?? { key, figure: metric.name, group, name: metric.name.slice(dot + 1), unit: metric.unit, better: metric.better, a: null, b: null, change: null, verdict: null };
      rows.set(key, row);
      row[which] = side(metric);
    }
  };
  // In the second one's order, as it is mostly the newer one.
  if (second) take(second, "b");
  take(first, "a");
  for (const metric of compared?.metrics ?? []) {
    const row = rows.get(keyOf(metric));
    if (!row?.a || !row.b) continue;
    for (const which of ["a", "b"]) row[which].noise = [metric[which].low, metric[which].high];
    row.change = metric.change_percent ?? null;
    row.verdict = metric.judgement;
  }
  const all = [...rows.values()];
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
