// What an answer cost: chunks that were left out, and where the time went.

import { el, fill } from "../dom.js";
import { bytes, count, ms } from "../format.js";

const STAGES = ["queue", "plan", "read", "align", "compute", "encode"];

export class Receipt {
  constructor() {
    this.summary = el("summary", {}, "…");
    this.more = el("div", { class: "receipt-more" });
    this.element = el("details", { class: "receipt", id: "receipt" }, this.summary, this.more);
  }

  /// `trip` is from asking to the drawn answer, in milliseconds.
  show(receipt, { trip, asOf }) {
    const { chunks } = receipt;
    const server = STAGES.reduce((sum, stage) => sum + (receipt.ms[stage] ?? 0), 0);
    Object.assign(this.element.dataset, { trip: trip.toFixed(1), server: server.toFixed(2) });
    fill(this.summary, el("span", {}, `${count(chunks.pruned)} of ${count(chunks.total)} chunks left out`), el("span", {}, `${ms(server)} ms`));
    const most = Math.max(...STAGES.map((stage) => receipt.ms[stage] ?? 0), 0.01);
    fill(this.more,
      el("dl", {}, STAGES.map((stage) => {
        const share = el("span", { class: "stage" });
        share.style.width = `${Math.max(1, ((receipt.ms[stage] ?? 0) / most) * 100)}%`;
        return [el("dt", {}, stage), el("dd", {}, el("span", { class: "stage-room" }, share), `${(receipt.ms[stage] ?? 0).toFixed(2)} ms`)];
      })),
      el("p", {}, `${count(chunks.cached)} chunks from blocks, ${count(chunks.read)} read: ${count(receipt.rows_read)} rows, ${bytes(receipt.bytes_read)}. ${ms(trip)} ms from asking to this table.`),
      el("p", {}, `As of ${asOf.slice(0, 19).replace("T", " ")} UTC.`));
  }
}
