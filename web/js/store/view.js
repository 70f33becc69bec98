// Store: what there is, what its chunks are, and what comes in.

import { list } from "../api.js";
import { bdi, el, fill, select, setOptions } from "../dom.js";
import { bytes, count, shortTime, widthMs } from "../format.js";
import * as link from "../link.js";
import { card } from "../parts/states.js";
import { Chunks } from "./chunks.js";
import { DeadLetters } from "./deadletters.js";
import { Ingestion } from "./ingestion.js";

const REFRESH_MS = 10_000;

export const open = (main, parameters) => new Store(main, parameters);

class Store {
  constructor(main, parameters) {
    this.main = main;
    this.summary = el("dl", { class: "tiles" });
    this.rows = el("tbody");
    const column = (text) => el("th", { scope: "col", class: "number" }, text);
    this.measurements = card("Measurements", { id: "measurements" }, el("div", { class: "scroll" }, el("table", { class: "data", "aria-label": "Measurements" },
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Name"), ["Series", "Rows, about", "Size", "Bytes a row"].map(column),
        ["From", "To", "Chunks of", "Retention", "Fields"].map((text) => el("th", { scope: "col" }, text)))), this.rows)));
    this.choice = select("Measurement", [], "", (measurement) => { this.measurement = measurement; this.#write(); this.#load(); }, { class: "select small", id: "chunk-measurement" });
    this.chunks = new Chunks();
    this.chunksCard = card("Chunks", { id: "chunks", end: [this.chunks.legend, this.choice] }, this.chunks.element);
    this.ingestion = new Ingestion();
    this.letters = new DeadLetters();
    fill(main, el("h1", { class: "unseen" }, "Store"), el("div", { class: "store" }, this.summary, this.ingestion.element, this.chunksCard.element, this.measurements.element, this.letters.element));
    this.timer = setInterval(() => { if (!document.hidden) this.#load(); }, REFRESH_MS);
    this.show(parameters);
  }

  show(parameters) {
    this.measurement = parameters.get("m");
    this.namespace = parameters.get("ns");
    this.#load();
  }

  parameters() {
    const parameters = new URLSearchParams();
    if (this.namespace) parameters.set("ns", this.namespace);
    if (this.measurement) parameters.set("m", this.measurement);
    return parameters;
  }

  #write() {
    link.write("store", this.parameters());
  }

  async #load() {
    const { place } = this.measurements;
    place.busy();
    let measurements;
    try {
      ({ measurements } = await list("measurements"));
      this.#drawMeasurements(measurements);
    } catch (error) {
      place.failed(error, () => this.#load());
      return;
    }
    this.letters.load();
    if (!this.measurement) return;
    this.chunksCard.place.busy();
    try {
      const { chunks } = await list("chunks", { measurement: this.measurement });
      this.chunks.show(chunks, widthMs(measurements.find(({ name }) => name === this.measurement)?.retention));
      if (chunks.length) this.chunksCard.place.ready();
      else this.chunksCard.place.empty("No chunks", "The measurement has no rows.");
    } catch (error) {
      this.chunksCard.place.failed(error, () => this.#load());
    }
  }

  #drawMeasurements(measurements) {
    const { place } = this.measurements;
    const sum = (name) => measurements.reduce((total, one) => total + (one[name] ?? 0), 0);
    const tiles = [["Measurements", count(measurements.length)], ["Series", count(sum("series"))], ["Rows, about", count(sum("rows"))], ["Size", bytes(sum("bytes"))]];
    fill(this.summary, tiles.map(([name, value]) => el("div", { class: "tile" }, el("dt", {}, name), el("dd", {}, value))));
    if (!measurements.length) {
      place.empty("Nothing is stored yet", "A measurement comes into being with the first line that is written to it.");
      this.chunksCard.place.empty("No chunks", "There are some as soon as there are rows.");
      return;
    }
    if (!measurements.some(({ name }) => name === this.measurement)) this.measurement = measurements.toSorted((a, b) => b.rows - a.rows)[0].name;
    setOptions(this.choice, measurements.map(({ name }) => [name, name]), this.measurement);
    const time = (text) => (text ? shortTime(Math.floor(Date.parse(text) / 1000) * 1000) : "–");
    fill(this.rows, measurements.map((one) => el("tr", {},
      el("th", { scope: "row" }, el("a", { href: link.href("correlate", new URLSearchParams({ m: one.name, ...(this.namespace ? { ns: this.namespace } : {}) })) }, bdi(one.name))),
      [count(one.series), count(one.rows), bytes(one.bytes), one.rows ? (one.bytes / one.rows).toFixed(0) : "–"].map((text) => el("td", { class: "number" }, text)),
      [time(one.from), time(one.to), one.chunk_interval, one.retention ?? "for ever"].map((text) => el("td", {}, String(text))),
      el("td", { class: "fields" }, one.fields.flatMap(({ name, type }, k) => [k ? ", " : null, bdi(name, { title: type })])))));
    place.ready();
  }

  close() {
    clearInterval(this.timer);
    this.ingestion.close();
    this.chunks.close();
    for (const one of [this.measurements, this.chunksCard, this.letters.card]) one.place.close();
  }
}

