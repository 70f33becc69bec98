// The reports there are, of which one or two are chosen.

import { bdi, el, fill } from "../dom.js";
import { bytes, count, shortTime } from "../format.js";
import { card } from "../parts/states.js";

export class Reports {
  /// `choose("a" or "b", name)`: one report is the first or the second, or is not any more.
  constructor(choose, retry) {
    Object.assign(this, { choose, retry });
    this.rows = el("tbody");
    this.count = el("span", { class: "muted" });
    const column = (text, properties) => el("th", { scope: "col", ...properties }, text);
    this.card = card(el("div", { class: "with-count" }, el("h2", {}, "Reports"), this.count), { id: "reports", label: "Reports" },
      el("div", { class: "scroll tall" }, el("table", { class: "data", "aria-label": "Reports" },
        el("thead", {}, el("tr", {}, column("Show"), column("Benchmark"), column("Begun, UTC"), column("Figures", { class: "number wide" }), column("Program", { class: "wide" }), column(el("span", { class: "unseen" }, "File"), { class: "wide" }))), this.rows)));
    this.element = this.card.element;
  }

  show(reports, { a, b }) {
    this.count.textContent = count(reports.length);
    const focused = this.rows.contains(document.activeElement) ? document.activeElement : null;
    const again = focused && [focused.closest("tr").dataset.report, focused.value];
    fill(this.rows, reports.map((report) => this.#row(report, { a, b })));
    if (again) this.rows.querySelector(`[data-report="${again[0]}"] [value="${again[1]}"]`)?.focus();
    if (reports.length) this.card.place.ready();
    else {
      this.card.place.empty("No reports yet", el("span", {}, "Every run of ", el("code", {}, "chunkwise bench"), " on this machine leaves one here. Begin with ",
        el("code", {}, "chunkwise bench ingest --quick"), ", within a minute, or ", el("code", {}, "chunkwise bench all"), ", under a quarter of an hour. With ",
        el("code", {}, "--data-dir"), " it has to be the same folder for both."));
    }
  }

  #row(report, chosen) {
    const { name, benchmark, date, figures, chunkwise, revision, build, cpu, cores, bytes: size } = report;
    const press = (which) => el("button", {
      type: "button", value: which, "aria-pressed": String(chosen[which] === name), "aria-label": `${which === "a" ? "As A" : "Beside it as B"}: ${benchmark}, ${date}`,
      on: { click: () => this.choose(which, chosen[which] === name ? null : name) },
    }, which.toUpperCase());
    const version = revision ? `${chunkwise}, ${revision.replace(/^([0-9a-f]{9})[0-9a-f]+/, "$1")}` : chunkwise;
    return el("tr", { "data-report": name, "aria-current": (chosen.a === name || chosen.b === name) && "true" },
      el("td", {}, el("span", { class: "segments" }, press("a"), press("b"))),
      el("th", { scope: "row" }, bdi(benchmark, { title: `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"}` })), el("td", {}, shortTime(Math.floor(Date.parse(date) / 1000) * 1000)),
      el("td", { class: "number wide" }, count(figures)), el("td", { class: "wide" }, bdi(`${version}, ${build}`)),
      el("td", { class: "number wide" }, el("a", { href: `/api/v1/reports/${name}`, download: `${name}.json`, title: `The report as JSON, ${bytes(size)}` }, "JSON")));
  }

  failed(error) {
    this.card.place.failed(error, this.retry);
  }
}
