// Elements. Text from outside is only ever a text node: there is no way here to make markup of it.

const SVG = "http://www.w3.org/2000/svg";

/// An element: `on` has listeners, `tint` is a colour for its style sheet, all else are attributes.
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [kind, listener] of Object.entries(value)) element.addEventListener(kind, listener);
    else if (name === "tint") element.style.setProperty("--tint", value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/// A drawing of lines on a 16 x 16 grid, for a button that says its name otherwise.
export function icon(path) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", "line");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}

export const ICONS = {
  close: "M4 4l8 8M12 4l-8 8",
  plus: "M8 3v10M3 8h10",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1v1.5M8 13.500V15M1 8h1.500M13.500 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13.500 9.500A6 6 0 0 1 6.500 2.500a6 6 0 1 0 7 7z",
  down: "M8 2.500v8M4.500 7.500 8 11l3.500-3.500M3 13.500h10",
  open: "M4 6l4 4 4-4",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
};

/// The mark beside the name.
export function mark() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  for (const [x, y, kind] of [[1, 9, "a"], [6, 4, "b"], [11, 7, "a"], [16, 1, "b"]]) {
    const bar = document.createElementNS(SVG, "rect");
    for (const [name, value] of Object.entries({ x, y, width: 3, height: 19 - y, rx: 1, class: `mark-${kind}` })) {
      bar.setAttribute(name, value);
    }
    svg.append(bar);
  }
  return svg;
}

/// A name from outside, apart from the direction of the text around it.
export const bdi = (text, properties = {}) => el("bdi", { dir: "auto", ...properties }, text);

/// Replaces what an element holds.
export const fill = (element, ...children) => element.replaceChildren(...children.flat(Infinity).filter((child) => child));

/// A labelled choice; `options` are `[value, text]`.
export function select(label, options, value, change, properties = {}) {
  const chosen = el("select", { class: "select", "aria-label": label, ...properties, on: { change: () => change(chosen.value) } });
  setOptions(chosen, options, value);
  return chosen;
}

/// What each choice has: it is asked for at every move of a hand, and seldom other.
const OPTIONS = new WeakMap();

export function setOptions(chosen, options, value) {
  const key = JSON.stringify(options);
  if (OPTIONS.get(chosen) !== key) {
    OPTIONS.set(chosen, key);
    fill(chosen, options.map(([key, text]) => el("option", { value: key }, text)));
  }
  chosen.value = value ?? options[0]?.[0] ?? "";
}

/// A control under a small label.
export const field = (label, control, properties = {}) =>
  el("div", { class: "field", ...properties }, el("span", { class: "label", "aria-hidden": "true" }, label), control);

/// One of few, as buttons side by side.
export function segments(label, options, value, change) {
  const group = el("div", { class: "segments", role: "group", "aria-label": label });
  const show = (now) => group.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", one.value === String(now)));
  fill(group, options.map(([key, text, tint]) =>
    el("button", { type: "button", value: key, on: { click: () => { show(key); change(key); } } },
      tint ? el("span", { class: "swatch", tint }) : null, text)));
  show(value);
  return group;
}

export function toggle(label, checked, change) {
  const box = el("input", { type: "checkbox", role: "switch", on: { change: () => change(box.checked) } });
  box.checked = checked;
  return el("label", { class: "switch" }, box, el("span", { class: "track", "aria-hidden": "true" }), label);
}

export const button = (label, press, properties = {}, ...children) =>
  el("button", { type: "button", class: "button", ...properties, on: { click: press } }, ...(children.length ? children : [label]));

export const iconButton = (label, path, press, properties = {}) =>
  button(label, press, { class: "button bare icon", "aria-label": label, title: label, ...properties }, icon(path));

/// A button that opens a sheet of items; `items()` is asked when it opens: `{text, note, press, href, download}` or `null` for a line.
export function menu(label, items, properties = {}, ...face) {
  const sheet = el("div", { class: "sheet", role: "menu", "aria-label": label, hidden: true });
  const opener = button(label, () => (sheet.hidden ? open() : close()), { "aria-haspopup": "menu", "aria-expanded": "false", ...properties.button }, ...(face.length ? face : [label]));
  const whole = el("div", { class: `menu ${properties.class ?? ""}` }, opener, sheet);
  const outside = (event) => { if (!whole.contains(event.target)) close(); };
  const close = () => {
    sheet.hidden = true;
    opener.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside);
  };
  const open = () => {
    const all = items();
    fill(sheet, all.length ? null : el("p", { class: "muted none" }, "Nothing yet"), all.map((item) => {
      if (!item) return el("hr");
      const inside = [el("span", {}, item.text), item.note ? el("small", {}, item.note) : null];
      if (item.href) return el("a", { class: "item", role: "menuitem", href: item.href, download: item.download, on: { click: close } }, inside);
      return el("button", { class: "item", type: "button", role: "menuitem", on: { click: () => { close(); opener.focus(); item.press(); } } }, inside);
    }));
    sheet.hidden = false;
    opener.setAttribute("aria-expanded", "true");
    // Only while it is open: the document outlives the view that the menu is in.
    document.addEventListener("pointerdown", outside);
    sheet.querySelector(".item")?.focus();
  };
  whole.addEventListener("keydown", (event) => {
    const all = [...sheet.querySelectorAll(".item")];
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" && !sheet.hidden) { close(); opener.focus(); }
    else if (step && !sheet.hidden) { all.at((all.indexOf(document.activeElement) + step) % all.length)?.focus(); event.preventDefault(); }
  });
  whole.addEventListener("focusout", (event) => { if (event.relatedTarget && !whole.contains(event.relatedTarget)) close(); });
  return whole;
}
