// Whether the service and its database are there: a light in the corner, a banner while they are not, and word to the
// views when they are back.

import { service } from "./api.js";
import { el, fill } from "./dom.js";

const CALM_MS = 5000;
const AWAY_MS = 1000;
const listeners = new Set();
let away = false;
let suspected = false;
let timer = null;
let shown = null;

/// Calls `listener` when the database is back; the answer ends that.
export function onRecovery(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/// Looks soon: somebody has just been told that the database is away, and waits to hear that it is not.
export function suspect() {
  if (away) return;
  suspected = true;
  clearTimeout(timer);
  timer = setTimeout(look, AWAY_MS / 2);
}

const light = el("div", { class: "health", id: "health", role: "status" }, el("span", {}, "…"));
const banner = el("div", { class: "banner", id: "outage", role: "alert", hidden: true });

export const healthParts = { light, banner };

function show(state, word, message) {
  const next = JSON.stringify([state, word, message]);
  // Said again, it would be announced again.
  if (next === shown) return;
  shown = next;
  light.dataset.health = state;
  light.title = message ?? word;
  fill(light, el("span", {}, word));
  banner.hidden = !message;
  banner.textContent = message ?? "";
}

async function look() {
  clearTimeout(timer);
  // Nobody sees it, and whatever asks again when all is well would ask for nobody. It is looked when the page is.
  if (document.hidden) return;
  let wrong = null;
  try {
    const ready = await service("/ready");
    if (ready.status !== "ready") {
      const check = ready.checks?.find((one) => one.status === "fail");
      wrong = `${check?.message ?? "the service is not ready"}. Questions are asked again as soon as it is back.`;
    }
  } catch (error) {
    wrong = error.message;
  }
  if (wrong) show("away", "Away", wrong.charAt(0).toUpperCase() + wrong.slice(1));
  else show("well", "Ready", null);
  const isBack = (away || suspected) && !wrong;
  away = Boolean(wrong);
  suspected = false;
  if (isBack) for (const listener of [...listeners]) listener();
  timer = setTimeout(look, away ? AWAY_MS : CALM_MS);
}

export function watchHealth() {
  look();
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}
