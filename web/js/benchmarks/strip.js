// A figure's samples in a few pixels: in the order in which they were measured, or two reports' on one scale.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 132;
/// Of more samples than pixels, not all can be seen.
const MOST_TICKS = 60;

function svg(height, label) {
  const drawing = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDTH} ${height}`, width: WIDTH, height, role: "img", "aria-label": label, class: "strip" })) {
    drawing.setAttribute(name, value);
  }
  return drawing;
}

function path(d, kind) {
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", d);
  drawn.setAttribute("class", kind);
  return drawn;
}

const ends = (values) => values.reduce(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Infinity, -Infinity]);

/// One report's samples as a line, first to last.
export function sparkline({ samples }, label) {
  if (samples.length < 3) return null;
  const [low, high] = ends(samples);
  const step = Math.max(1, samples.length / 264);
  let d = "";
  for (let at = 0; at < samples.length; at += step) {
    const i = Math.floor(at);
    const x = 2 + (i / (samples.length - 1)) * (WIDTH - 4);
    const y = 18 - ((samples[i] - low) / (high - low || 1)) * 16;
    d += `${d ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
  }
  const drawing = svg(20, label);
  drawing.append(path(d, "spark"));
  return drawing;
}

/// Both reports' samples on one scale, the first above: each sample a line, the noise a bar, the figure a dot.
export function strips(a, b, label) {
  const all = [a, b].flatMap((side) => [...ends(side.samples), side.value]).filter(Number.isFinite);
  const [low, high] = ends(all);
  const toX = (value) => 4 + ((value - low) / (high - low || 1)) * (WIDTH - 8);
  const drawing = svg(24, label);
  [[a, "a", 6], [b, "b", 18]].forEach(([side, kind, y]) => {
    const [from, to] = side.noise.map(toX);
    if (side.samples.length > 1) drawing.append(path(`M${from.toFixed(1)} ${y}H${Math.max(to, from + 1).toFixed(1)}`, `noise ${kind}`));
    const step = Math.max(1, side.samples.length / MOST_TICKS);
    let d = "";
    for (let at = 0; at < side.samples.length; at += step) d += `M${toX(side.samples[Math.floor(at)]).toFixed(1)} ${y - 3.5}v7`;
    if (side.samples.length > 1) drawing.append(path(d, `tick ${kind}`));
    drawing.append(path(`M${toX(side.value).toFixed(1)} ${y}h0`, `dot ${kind}`));
  });
  return drawing;
}
