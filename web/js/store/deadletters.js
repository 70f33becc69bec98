// Rows that only the database refused, with its reasons.

import { list } from "../api.js";
import { bdi, el, fill } from "../dom.js";
import { shortTime } from "../format.js";
import { card } from "../parts/states.js";

export class DeadLetters {
  constructor() {
    this.rows = el("tbody");
    this.card = card("Dead letters", { id: "dead-letters" }, el("div", { class: "scroll" }, el("table", { class: "data", "aria-label": "Dead letters" },
      el("thead", {}, el("tr", {}, ["Time", "Measurement", "From", "Reason", "Line"].map((text) => el("th", { scope: "col" }, text)))), this.rows)));
    this.element = this.card.element;
  }

  async load() {
    this.card.place.busy();
    try {
      const { rows } = await list("dead_letters", { limit: 50 });
      fill(this.rows, rows.map((row) => el("tr", {}, el("td", {}, shortTime(Math.floor(Date.parse(row.time) / 1000) * 1000)), el("td", {}, bdi(row.measurement ?? "")), el("td", {}, row.source ?? ""),
        el("td", {}, bdi(row.reason)), el("td", {}, bdi(row.line ?? "", { class: "letter" })))));
      if (rows.length) this.card.place.ready();
      else this.card.place.empty("No dead letters", "Rows that only the database refuses would be here, with the reason.");
    } catch (error) {
      this.card.place.failed(error, () => this.load());
    }
  }
}
