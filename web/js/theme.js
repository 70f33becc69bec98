// Light and dark: as the system has it, or as the switch says.

import { iconButton, ICONS, icon, fill } from "./dom.js";

const KEY = "chunkwise.theme";
const dark = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();

const kept = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
let chosen = kept();

export const theme = () => chosen ?? (dark.matches ? "dark" : "light");

function apply() {
  document.documentElement.dataset.theme = theme();
  colours.clear();
  for (const listener of listeners) listener();
}

dark.addEventListener("change", () => { if (!chosen) apply(); });

/// Calls `listener` when colours change; the answer ends that.
export function onTheme(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const colours = new Map();

/// A colour of the style sheet, for canvases.
export function colour(name) {
  if (!colours.has(name)) colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return colours.get(name);
}

/// The colour of a range or series by its place.
export const rangeColour = (index) => `range-${index % 6}`;

export function themeSwitch() {
  const press = () => {
    chosen = theme() === "dark" ? "light" : "dark";
    // Back to the system's own is back to following it.
    if ((chosen === "dark") === dark.matches) chosen = null;
    try {
      if (chosen) localStorage.setItem(KEY, chosen);
      else localStorage.removeItem(KEY);
    } catch { /* Without storage the choice lasts as long as the page. */ }
    apply();
  };
  const button = iconButton("Switch between light and dark", ICONS.moon, press, { id: "theme" });
  const show = () => fill(button, icon(theme() === "dark" ? ICONS.sun : ICONS.moon));
  onTheme(show);
  apply();
  return button;
}
