// What comes in, second by second: by protocol, how fast it is acknowledged, what waits, and what was refused.

import { service } from "../api.js";
import { el, fill } from "../dom.js";
import { bytes, compact, count, duration, ms } from "../format.js";
import { rangeColour } from "../theme.js";
import { TimeChart } from "../chart/timechart.js";
import { card } from "../parts/states.js";

const LOOK_MS = 1000;
const KEPT = 180;
/// The chart begins with so many seconds, and grows with what it has to show.
const LEAST = 20;

export class Ingestion {
  #before = null;
  #times = [];
  #rates = new Map();
  #looks = 0;

  constructor() {
    this.chart = new TimeChart("Rows committed a second, by protocol", { height: 170, zero: true, format: (x) => `${compact(x)}/s` });
    this.legend = el("div", { class: "legend" });
    this.figures = el("dl", { class: "stats" });
    this.latency = el("tbody");
    this.refused = el("div", {});
    const column = (text) => el("th", { scope: "col", class: "number" }, text);
    this.columns = el("div", { class: "ingest-columns" },
      el("div", {}, el("h3", {}, "Rows a second"), this.chart.element, this.legend),
      el("div", {}, el("h3", {}, "Acknowledged within"), el("table", { class: "data", "aria-label": "Acknowledgement latency" },
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Protocol"), ["p50", "p90", "p99"].map(column))), this.latency), this.refused));
    this.card = card("Ingestion", { id: "ingestion" }, this.figures, this.columns);
    this.element = this.card.element;
    this.timer = setInterval(() => { if (!document.hidden) this.look(); }, LOOK_MS);
    this.look();
  }

  async look() {
    if (this.looking) return;
    this.looking = true;
    try {
      const stats = await service("/api/v1/stats");
      const now = performance.now();
      if (!stats.ingest) {
        this.card.place.empty("This process does not ingest", "Its figures are with the process that does: chunkwise up, or chunkwise ingest.");
        return;
      }
      this.#rate(stats.ingest, now);
      this.#drawFigures(stats);
      // Quantiles move slowly, and their text is long.
      if ((this.#looks += 1) % 3 === 1) this.#drawMetrics(await service("/metrics"), stats.ingest);
      this.card.place.ready();
      this.element.dataset.committed = String(stats.ingest.committed);
    } catch (error) {
      this.card.place.failed(error, () => this.look());
    } finally {
      this.looking = false;
    }
  }

  #rate(ingest, now) {
    const before = this.#before;
    this.#before = { now, by: ingest.by_protocol };
    if (!before || now - before.now < 200) return;
    this.#times.push(Date.now());
    for (const [protocol, { committed }] of Object.entries(ingest.by_protocol)) {
      const rates = this.#rates.get(protocol) ?? Array(this.#times.length - 1).fill(0);
      this.#rates.set(protocol, rates);
      // A process that was started again counts from zero.
      rates.push(Math.max(0, committed - (before.by[protocol]?.committed ?? 0)) / ((now - before.now) / 1000));
    }
    for (const rates of [this.#times, ...this.#rates.values()]) {
      while (rates.length > Math.min(KEPT, this.#times.length)) rates.shift();
      if (rates !== this.#times && rates.length < this.#times.length) rates.push(0);
    }
    const lines = [...this.#rates].map(([name, values], k) => ({ name, tint: rangeColour(k), times: this.#times, values, thick: 1.6 }));
    const to = this.#times.at(-1);
    this.chart.show(lines, { width: LOOK_MS, domain: [Math.min(this.#times[0], to - LEAST * LOOK_MS), to] });
    fill(this.legend, lines.map((line) => el("span", {}, el("i", { class: "swatch line", tint: `var(--${line.tint})` }), `${line.name} ${compact(Math.round(line.values.at(-1)))}/s`)));
  }

  #drawFigures({ ingest, spool, uptime_s: uptime }) {
    const facts = [["Committed", count(ingest.committed)], ["In flight", count(ingest.in_flight)], ["Refused", count(ingest.refused)], ["Dead letters", count(ingest.dead_lettered)],
      ["Repeated", count(ingest.duplicate)], ["Sent back", count(ingest.failed)]];
    if (spool) {
      const oldest = spool.oldest_us ? `, oldest ${duration(Date.now() - spool.oldest_us / 1000)}` : "";
      facts.push(["Spool", spool.frames ? `${count(spool.frames)} requests, ${bytes(spool.bytes)}${oldest}` : "empty"]);
      if (spool.database_away) facts.push(["Database", "away"]);
    } else facts.push(["Spool", "none"]);
    facts.push(["Running for", duration(uptime * 1000)]);
    fill(this.figures, facts.map(([name, text]) => el("div", {}, el("dt", {}, name), el("dd", {}, text))));
  }

  #drawMetrics(text, ingest) {
    const quantiles = new Map();
    const reasons = [];
    for (const [name, labels, value] of samples(text)) {
      if (name === "chunkwise_ingest_acknowledge_seconds" && labels.quantile) {
        quantiles.set(labels.protocol, { ...quantiles.get(labels.protocol), [labels.quantile]: value });
      } else if (name === "chunkwise_ingest_refused_lines_total" && value > 0) reasons.push([labels.reason, labels.protocol, value]);
    }
    fill(this.latency, [...quantiles].filter(([protocol]) => protocol in ingest.by_protocol).map(([protocol, of]) =>
      el("tr", { class: "small" }, el("td", {}, protocol), ["0.5", "0.9", "0.99"].map((q) => el("td", { class: "number" }, Number.isFinite(of[q]) && of[q] > 0 ? `${ms(of[q] * 1000)} ms` : "–")))));
    if (!this.latency.children.length) fill(this.latency, el("tr", { class: "small" }, el("td", { colspan: 4, class: "muted" }, "No client has written yet")));
    fill(this.refused, reasons.length ? [el("h3", { class: "spaced" }, "Refused lines"), el("table", { class: "data", "aria-label": "Refused lines by reason" }, el("tbody", {}, reasons.sort((a, b) => b[2] - a[2]).map(([reason, protocol, lines]) =>
      el("tr", { class: "small" }, el("td", {}, reason.replaceAll("_", " ")), el("td", { class: "muted" }, protocol), el("td", { class: "number" }, count(lines))))))] : null);
  }

  close() {
    clearInterval(this.timer);
    this.chart.close();
    this.card.place.close();
  }
}

/// Samples of Prometheus' text: name, labels, value.
function* samples(text) {
  for (const line of text.split("\n")) {
    const parts = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries([...(parts[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, value]) => [name, value]));
    yield [parts[1], labels, Number(parts[3])];
  }
}

