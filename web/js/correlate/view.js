// Correlate: one series, some date ranges, and what moves with it. The state is what the address bar has; every change goes
// through `update`, which asks again for exactly what the change touches.

import { ask, Latest, list, seriesOf } from "../api.js";
import { bdi, el, fill } from "../dom.js";
import { sameTags, seriesName, shortTime } from "../format.js";
import * as link from "../link.js";
import { card, empty, failed, loading, titleOf } from "../parts/states.js";
import { onRecovery, suspect } from "../health.js";
import { Controls } from "./controls.js";
import { Detail } from "./detail.js";
import { exportMenu } from "./exports.js";
import { Heat } from "./heat.js";
import { bounds, complete, correlateQuestion, fromParameters, isLive, rangeName, toParameters } from "./question.js";
import { RangeList } from "./rangelist.js";
import { Ranking } from "./ranking.js";
import { Receipt } from "./receipt.js";
import { SeriesChart } from "./serieschart.js";

const LIVE_MS = 2000;
/// A hand that has not moved for so long rests.
const RESTS_MS = 200;

export function open(main, parameters) {
  return new Correlate(main, parameters);
}

class Correlate {
  #latest = new Latest();
  #asked = null;
  #answered = 0;
  #wanted = 0;
  #answer = null;
  #answerOf = null;
  #running = null;
  #turn = 0;

  constructor(main, parameters) {
    this.main = main;
    this.stopRecovery = onRecovery(() => { if (!this.info) this.start(); });
    this.timer = setInterval(() => this.#tick(), LIVE_MS);
    this.#build();
    this.show(parameters);
  }

  #build() {
    this.controls = new Controls((changes, step) => this.update(changes, { step }));
    this.ranges = new RangeList((ranges) => this.update({ ranges }));
    this.chart = new SeriesChart({
      change: (index, range, done) => {
        const ranges = this.state.ranges.slice();
        ranges[index] = range;
        this.update({ ranges }, { quiet: !done });
      },
      remove: (index) => this.update({ ranges: this.state.ranges.filter((_, other) => other !== index) }),
      zoom: (zoom) => this.update({ zoom }),
    });
    const title = el("h2", { id: "chart-title" }, "Series");
    this.title = title;
    this.chartCard = card(title, { id: "chart", label: "The series and its ranges", end: [this.controls.live, ...this.chart.buttons] }, this.chart.element, this.ranges.element);
    this.receipt = new Receipt();
    this.ranking = new Ranking({
      select: (row) => this.update({ selected: row.tags }),
      sorted: (sort) => this.update({ sort }),
    });
    this.filter = el("input", {
      class: "input small filter", type: "search", placeholder: "Filter", "aria-label": "Filter series by name", spellcheck: "false",
      on: { input: (event) => this.update({ filter: event.target.value }) },
    });
    const { order, rankBy, top } = this.controls;
    this.rankingCard = card(el("div", { class: "with-count" }, el("h2", {}, "What moves with it"), this.ranking.summary), {
      id: "ranking", label: "Ranking", end: [top, order, rankBy, this.filter, exportMenu(() => (this.#asked ? JSON.parse(this.#asked) : null))],
      footer: el("footer", {}, this.ranking.pager, this.receipt.element),
    }, this.ranking.element);
    const shownRange = (index) => this.update({ shownRange: index });
    this.detail = new Detail({
      shownRange,
      target: ({ id, tags }) => this.update({ target: tags, targetId: id, selected: this.state.target }, { step: true }),
      explore: (both) => { location.hash = this.#exploreLink(both); },
    });
    const pick = (one, other) => this.update({ target: one.tags, targetId: one.series_id, selected: other.tags }, { step: true });
    this.heat = new Heat({ shownRange, pick });
    this.page = el("div", { class: "correlate" }, this.controls.element, this.chartCard.element,
      el("div", { class: "columns" }, this.rankingCard.element, this.detail.element), this.heat.element);
    fill(this.main, el("h1", { class: "unseen" }, "Correlate"), this.page);
  }

  show(parameters) {
    const state = fromParameters(parameters);
    const isSame = this.state && state.measurement === this.state.measurement && state.namespace === this.state.namespace;
    if (isSame && sameTags(state.target, this.state.target)) state.targetId = this.state.targetId;
    this.state = state;
    if (isSame && this.info) this.#choose();
    else this.start();
  }

  parameters() {
    return toParameters(this.state);
  }

  /// A question that begins: the answer says whether it is still wanted, as the view may be left while it is awaited, or be
  /// shown another one.
  #begin() {
    const turn = (this.#turn += 1);
    return () => turn === this.#turn;
  }

  /// Learns what there is, completes the question, and asks it.
  async start() {
    const isWanted = this.#begin();
    this.info = null;
    fill(this.main, el("h1", { class: "unseen" }, "Correlate"), loading(420));
    try {
      const { measurements } = await list("measurements");
      if (!isWanted()) return;
      this.measurements = measurements;
    } catch (error) {
      if (isWanted()) this.#failed(error);
      return;
    }
    await this.#choose();
  }

  #failed(error) {
    this.info = null;
    if (error.passing) suspect();
    const more = error.passing ? " This is asked again as soon as it is back." : "";
    this.#instead(failed({ title: titleOf(error), message: bdi(error.message + more), retry: () => this.start(), code: error.code }));
  }

  #instead(what) {
    fill(this.main, el("h1", { class: "unseen" }, "Correlate"), el("div", { class: "card" }, what));
  }

  async #choose() {
    const isWanted = this.#begin();
    const info = complete(this.state, this.measurements);
    if (!info) {
      const named = this.state.measurement;
      this.#instead(named
        ? failed({ title: "There is no such measurement", message: bdi(`Nothing is stored as “${named}”.`), retry: () => { this.state = fromParameters(new URLSearchParams()); this.start(); } })
        : empty("Nothing is stored yet", "Write a line, load a file, or start with --demo. This page shows it as soon as it is reloaded."));
      return;
    }
    try {
      await this.#findTarget(info);
    } catch (error) {
      if (isWanted()) this.#failed(error);
      return;
    }
    if (!isWanted()) return;
    this.info = info;
    if (!this.page.isConnected) fill(this.main, el("h1", { class: "unseen" }, "Correlate"), this.page);
    this.#completed({ step: false });
  }

  /// The series that the tags name, or the first that there is.
  async #findTarget(info) {
    const { state } = this;
    const { target } = state;
    if (target && state.targetId !== undefined) return;
    const found = target ? await seriesOf(info, target) : (await list("series", { measurement: info.name, limit: 1 })).series[0];
    // Another may have been chosen meanwhile.
    if (state.target !== target) return;
    state.target = target ?? found?.tags ?? null;
    state.targetId = found?.series_id ?? null;
  }

  #completed({ step }) {
    this.#drawControls();
    this.#write(step);
    this.#sync();
  }

  /// `quiet`: on the way to a state, not yet one to link to; `step`: going back leads to the state before.
  update(changes, { quiet = false, step = false } = {}) {
    const isOther = "measurement" in changes && changes.measurement !== this.state.measurement;
    Object.assign(this.state, changes);
    if ("ranges" in changes) {
      this.state.shownRange = Math.min(this.state.shownRange, Math.max(0, this.state.ranges.length - 1));
      if (Number(this.state.rankBy) >= this.state.ranges.length) this.state.rankBy = "max";
    }
    if (isOther) {
      this.#choose();
      return;
    }
    this.isMoving = quiet;
    this.#drawControls();
    if (!quiet) this.#write(step);
    this.#sync();
  }

  #write(step) {
    const write = () => link.write("correlate", toParameters(this.state), { step });
    clearTimeout(this.writing);
    // Browsers limit how often an address may change; what is typed into the filter need not be there at each key.
    if (step) write();
    else this.writing = setTimeout(write, 60);
  }

  #drawControls() {
    const { state, info } = this;
    this.controls.show(state, info, this.measurements);
    this.ranges.show(state.ranges, info, state.bucket);
    if (document.activeElement !== this.filter) this.filter.value = state.filter;
    fill(this.title, bdi(state.target ? seriesName(state.target) : "No series"), el("span", { class: "muted" }, ` ${state.field}`));
    this.ranking.set({ sort: state.sort, filter: state.filter, selected: this.#selected()?.tags ?? null });
  }

  #sync({ fresh = false } = {}) {
    const { state, info } = this;
    this.chart.show(state, info, { fresh });
    // Not looked up yet: this is called again.
    if (state.targetId === undefined) return;
    if (state.targetId === null) {
      this.#asked = null;
      this.#latest.stop();
      if (state.target) this.rankingCard.place.empty("There is no such series", "None has exactly these tags. Choose one above.");
      else this.rankingCard.place.empty("There are no series", "The measurement has no rows yet.");
      this.#clearAround();
      return;
    }
    if (!state.ranges.length) {
      this.#asked = null;
      this.#latest.stop();
      this.rankingCard.place.empty("No range yet", "Drag over the chart, or add one with the button below it.");
      this.#clearAround();
      return;
    }
    const asked = JSON.stringify(correlateQuestion(state));
    if (asked !== this.#asked || fresh) {
      this.#asked = asked;
      const number = String((this.#wanted += 1));
      this.rankingCard.element.dataset.wanted = number;
      if (!fresh) {
        clearTimeout(this.soon);
        this.detail.hold();
        this.heat.hold();
      }
      // What was asked on the way is not waited for any more once the hand has let go.
      this.#latest.run((signal) => this.#ask(asked, number, fresh, signal), { abort: !fresh && !this.isMoving });
      return;
    }
    // The hand has let go where it was last, and that is asked next.
    if (!this.isMoving && this.#running !== asked) this.#latest.hurry();
    // Before its answer is there, what is beside the table would be of the one before.
    if (this.#answerOf === asked) this.#drawAround();
  }

  /// `number` is the question's, for those who wait until its answer is drawn.
  async #ask(asked, number, fresh, signal) {
    const { place } = this.rankingCard;
    this.#running = asked;
    if (!fresh) place.busy();
    const begun = performance.now();
    try {
      const answer = await ask("correlate", JSON.parse(asked), { signal, fresh });
      this.#answer = answer;
      this.#answerOf = asked;
      this.ranking.show(answer, this.state.ranges.map(rangeName).slice(0, answer.ranges.length));
      this.receipt.show(answer.receipt, { trip: performance.now() - begun, asOf: answer.as_of });
      if (this.ranking.all.length) place.ready();
      else place.empty("Nothing to compare", "No other series has values in these ranges.");
      this.rankingCard.element.dataset.answered = String((this.#answered += 1));
      this.rankingCard.element.dataset.shown = number;
      // What is beside the table may take its time.
      if (this.#asked === asked) this.#drawAroundSoon();
    } catch (error) {
      if (error.name === "AbortError") throw error;
      // Something else is wanted by now, and asked next.
      if (this.#asked !== asked) return;
      this.#asked = null;
      if (!this.#answer) this.#clearAround();
      // It may have been deleted and written anew, under another id.
      if (error.code === "unknown_series") this.state.targetId = undefined;
      place.failed(error, () => (this.state.targetId === undefined ? this.start() : this.#sync()));
    }
  }

  /// What is beside the table asks questions too: while a hand moves they would be in the way of the next one.
  #drawAroundSoon() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => requestAnimationFrame(() => this.#drawAround()), this.isMoving ? RESTS_MS : 0);
  }

  /// The row that is looked at: the one that was chosen, else the first.
  #selected() {
    if (!this.#answer) return null;
    return this.ranking.row(this.state.selected) ?? (this.state.selected ? null : this.ranking.all[0]);
  }

  #drawAround() {
    const { state } = this;
    if (!this.#answer || this.#answer.ranges.length !== state.ranges.length) return;
    const id = this.#answer.target.series_id;
    const row = this.#selected();
    this.ranking.set({ selected: row?.tags ?? null });
    if (row) this.detail.show(state, row, id);
    else this.detail.clear();
    this.heat.show(state, this.ranking.all, id);
  }

  #clearAround() {
    this.detail.clear();
    this.heat.clear();
  }

  #exploreLink(both) {
    const { state } = this;
    const parameters = new URLSearchParams({ m: state.measurement, f: state.field });
    if (state.namespace) parameters.set("ns", state.namespace);
    for (const tags of both) parameters.append("series", JSON.stringify(tags));
    const { from, to } = bounds(state.ranges[state.shownRange] ?? state.ranges[0]);
    parameters.set("from", shortTime(from).replace(" ", "T"));
    parameters.set("to", shortTime(to).replace(" ", "T"));
    return link.href("explore", parameters);
  }

  #tick() {
    if (!this.info || !this.state.live || document.hidden || document.activeElement?.classList.contains("when")) return;
    if (isLive(this.info)) this.info.to = new Date().toISOString();
    this.ranges.show(this.state.ranges, this.info, this.state.bucket);
    this.#sync({ fresh: true });
  }

  close() {
    this.#begin();
    clearInterval(this.timer);
    clearTimeout(this.writing);
    clearTimeout(this.soon);
    this.stopRecovery();
    this.#latest.stop();
    for (const part of [this.chart, this.ranking, this.detail, this.heat]) part.close();
    this.rankingCard.place.close();
  }
}

