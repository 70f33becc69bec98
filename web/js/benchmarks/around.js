// Where reports were measured, and what differs.

import { bdi, el, fill } from "../dom.js";
import { bytes } from "../format.js";
import { flat } from "./compare.js";

const NAMES = {
  date: "Begun, UTC", chunkwise: "chunkwise", revision: "Revision", build: "Build", cpu: "Processor", cores: "Cores", memory_bytes: "Memory", kernel: "System",
  postgres: "PostgreSQL", timescaledb: "TimescaleDB", edition: "Edition", seed: "Seed",
};
/// Differ in any two runs.
const ALWAYS = ["date"];

const text = (name, value) => (value === undefined || value === "" ? "–" : name === "memory_bytes" ? bytes(value) : name === "date" ? String(value).replace("T", " ").replace("Z", "") : String(value));
const label = (name) => (NAMES[name] ? NAMES[name] : el("code", {}, name));

export class Around {
  constructor() {
    this.element = el("div", { class: "around" });
  }

  show(a, b) {
    const [of, other] = [flat(a.environment), b && flat(b.environment)];
    const names = [...new Set([...Object.keys(of), ...Object.keys(other ?? {})])].filter((name) => text(name, of[name]) !== "–" || (other && text(name, other[name]) !== "–"));
    const isOther = (name) => other && text(name, of[name]) !== text(name, other[name]);
    const differing = names.filter(isOther);
    const alike = names.filter((name) => !isOther(name));
    const warned = [["A", a], ["B", b]].filter(([, report]) => report?.environment.build === "debug").map(([which]) => which);
    fill(this.element,
      warned.length ? el("p", { class: "warned" }, `${other ? `${warned.join(" and ")}: a` : "A"} debug build, whose figures say nothing about a release.`) : null,
      other ? [el("h3", {}, "What differs"), differing.length > 0 && el("table", { class: "data", "aria-label": "What differs" },
        el("thead", {}, el("tr", {}, [el("span", { class: "unseen" }, "Entry"), "A", "B"].map((name) => el("th", { scope: "col" }, name)))),
        el("tbody", {}, differing.map((name) => el("tr", { class: "small" }, el("th", { scope: "row" }, label(name)), [of, other].map((one) => el("td", {}, bdi(text(name, one[name])))))))),
      differing.every((name) => ALWAYS.includes(name)) ? el("p", { class: "muted" }, "Nothing but the time.") : null, el("h3", {}, "The same in both")] : null,
      el("dl", { class: "entries" }, alike.map((name) => el("div", {}, el("dt", {}, label(name)), el("dd", {}, bdi(text(name, of[name])))))));
  }
}

/// What a part of a report of several benchmarks has other than the report's beginning, in words.
export function partNotes(report) {
  const notes = {};
  const whole = flat(report?.environment);
  for (const [part, environment] of Object.entries(report?.parts ?? {})) {
    const own = Object.entries(flat(environment)).filter(([name, value]) => !ALWAYS.includes(name) && text(name, value) !== text(name, whole[name]));
    if (own.length) notes[part] = own.map(([name, value]) => `${name} ${value}`).join(", ");
  }
  return notes;
}
