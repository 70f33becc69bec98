// What a report has over rows, records, series or buckets, as lines. A figure's name says where it stands on the axis.

/// A line a report: the first is drawn through, the second dashed.
const REPORTS = [["a", []], ["b", [5, 4]]];

/// Charts of one report or two, `{title, about, x, y, lines}`; those without points are left out.
export function charts(reports, { live }) {
  const of = (benchmark) => reports.map((report) => report && new Named(report, benchmark));
  const line = (name, tint, which, points) => ({ name: reports[1] ? `${name}, ${which.toUpperCase()}` : name, tint, dash: REPORTS.find(([key]) => key === which)[1], points });
  const lines = (benchmark, wanted) => of(benchmark).flatMap((named, at) => (named ? wanted.map(([name, tint, points]) => line(name, tint, REPORTS[at][0], points(named))) : []));
  const prefix = live ? "live_" : "";
  const while_ = live ? ", while rows come in" : "";
  const all = [
    { title: "Rows a second as the data grow", x: { label: "million rows of each way" }, y: { label: "rows/s", zero: true },
      lines: lines("steadiness", [["PostgreSQL's table", "range-1", (r) => r.steps("plain_rate")], ["hypertable", "range-3", (r) => r.steps("hypertable_rate")], ["chunkwise", "range-0", (r) => r.steps("chunkwise_rate")]]) },
    { title: "Rows a second of one long run, part by part", x: { label: "parts of the run" }, y: { label: "rows/s", zero: true },
      lines: lines("ingest", [["the service", "range-0", (r) => r.order("steady_service_rate")], ["ready-made COPY", "range-1", (r) => r.order("steady_ceiling_rate")]]) },
    { title: "From a chunk's last row until it is sealed, at half rate", x: { label: "chunks" }, y: { label: "s", zero: true },
      lines: lines("storage", [["sealing", "range-0", (r) => r.order("half_rate_seal_lag")]]) },
    ...[["q1", "Q1: maximum and mean of a few series by minute"], ["q2", "Q2: least, greatest and mean of all series by hour"], ["q3", "Q3: the last hour of each series, the twenty farthest"]].map(([q, title]) => ({
      title: title + while_, isLive: true, x: { label: "records" }, y: { label: "ms", log: true },
      lines: lines("queries", [["plain table, SQL", "range-1", (r) => r.numbers(`${prefix}${q}_`, "_plain")], ["rows, SQL", "range-3", (r) => r.numbers(`${prefix}${q}_`, "_sql")],
        ["rows, windows", "range-0", (r) => r.numbers(`${prefix}${q}_`, "_window")], ["bars, SQL", "range-2", (r) => r.numbers(`${prefix}${q}_`, "_rollup")]]),
    })),
    { title: `One against all over REST: answers within so long${while_}`, isLive: true, x: { label: "ms", log: true }, y: { label: "% of them", zero: true },
      lines: lines("correlation", [["1 to 5 ranges", "range-3", (r) => r.shares(`${prefix}any_ranges_top_50_p50`)], ["three ranges", "range-0", (r) => r.shares(`${prefix}three_ranges_top_50_p50`)]]) },
    ...["series", "buckets"].map((what) => ({
      title: `One against all, computing alone, by ${what}`, x: { label: what, log: true }, y: { label: "ms", log: true },
      lines: lines("computing", [["correlation", "range-0", (r) => r.numbers(`${what}_`, "")], ["plain read of as much", "range-1", (r) => r.numbers(`${what}_`, "_read_pass")]]),
    })),
  ];
  return all.map((chart) => ({ ...chart, lines: chart.lines.filter(({ points }) => points.length > 1) })).filter((chart) => chart.lines.length);
}

/// Whether there is anything that was measured while rows came in.
export const hasLive = (reports) => reports.some((report) => report?.metrics.some(({ name }) => /(^|\.)live_q\d_|(^|\.)live_\w*ranges/.test(name)));

/// A benchmark's figures by their names without it.
class Named {
  constructor({ benchmark, metrics }, wanted) {
    const prefix = benchmark === "all" ? `${wanted}.` : benchmark === wanted ? "" : null;
    const own = prefix === null ? [] : metrics.filter(({ name }) => name.startsWith(prefix));
    this.metrics = new Map(own.map((metric) => [metric.name.slice(prefix.length), metric]));
  }

  /// A figure's samples, each of so many rows more.
  steps(name) {
    const rows = (this.metrics.get("step_rows")?.value ?? 1e6) / 1e6;
    return (this.metrics.get(name)?.samples ?? []).map((sample, at) => [(at + 1) * rows, sample]);
  }

  /// A figure's samples, one after the other.
  order(name) {
    return (this.metrics.get(name)?.samples ?? []).map((sample, at) => [at + 1, sample]);
  }

  /// Figures with a number between both ends of their names, by that number.
  numbers(before, after) {
    const found = [];
    for (const [name, { value }] of this.metrics) {
      if (!name.startsWith(before) || !name.endsWith(after)) continue;
      const number = name.slice(before.length, name.length - after.length);
      if (/^\d+$/.test(number)) found.push([Number(number), value]);
    }
    return found.sort((one, other) => one[0] - other[0]);
  }

  /// The share of samples up to each one.
  shares(name) {
    const samples = this.metrics.get(name)?.samples ?? [];
    const sorted = Float64Array.from(samples).sort();
    return Array.from(sorted, (sample, at) => [sample, ((at + 1) / sorted.length) * 100]);
  }
}
