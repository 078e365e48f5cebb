// Histograms as SVG, with a table behind each, and a brush where they choose features.
import { button, copy, el, svg, table, toTsv } from "./dom.js";
import { count, digits, plural, powerOfTen } from "./numbers.js";

// As wide as the page has space for, so that text in a picture is as large as beside it.
export function chartWidth(most) {
  return Math.max(280, Math.min(most, document.documentElement.clientWidth - 40));
}

const FRAME = { left: 44, right: 12, top: 8, bottom: 34 };

function niceTicks(most) {
  const step = Math.pow(10, Math.floor(Math.log10(most / 3 || 1)));
  const wide = [1, 2, 5, 10].map((k) => k * step).find((k) => most / k <= 4.5) || step;
  const ticks = [];
  for (let y = 0; y <= most; y += Math.max(1, wide)) ticks.push(y);
  return ticks;
}

const logTicks = (most) => (most < 50 ? [0, 1, 2, 5, 10, 20].filter((n) => n <= most) : [0, ...Array.from({ length: Math.floor(Math.log10(most)) + 1 }, (_, i) => 10 ** i)]);

// bars: [{from, to, count}]; options: width, height, xTicks [[x, text]], xLabel, yLabel, logY, label
export function histogram(bars, options) {
  const { width, height } = options;
  const inner = { w: width - FRAME.left - FRAME.right, h: height - FRAME.top - FRAME.bottom };
  const low = bars[0].from, high = bars[bars.length - 1].to, most = Math.max(1, ...bars.map((bar) => bar.count));
  const x = (value) => FRAME.left + (value - low) / (high - low || 1) * inner.w;
  const scale = options.logY ? (n) => Math.log10(1 + n) : (n) => n;
  const y = (n) => FRAME.top + inner.h * (1 - scale(n) / scale(most));
  const picture = svg("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": options.label });
  for (const n of options.logY ? logTicks(most) : niceTicks(most)) {
    picture.append(svg("line", { class: "grid", x1: FRAME.left, x2: width - FRAME.right, y1: y(n), y2: y(n) }),
      svg("text", { class: "tick", x: FRAME.left - 6, y: y(n) + 4, "text-anchor": "end" }, options.logY ? (n < 10000 ? String(n) : powerOfTen(Math.round(Math.log10(n)))) : count(n)));
  }
  for (const bar of bars) {
    if (bar.count === 0) continue;
    const gap = x(bar.to) - x(bar.from) > 4 ? 1 : 0;
    picture.append(svg("rect", { class: "bar", x: x(bar.from), width: Math.max(1, x(bar.to) - x(bar.from) - gap), y: y(bar.count), height: y(0) - y(bar.count) }));
  }
  for (const [value, text] of options.xTicks) {
    picture.append(svg("text", { class: "tick", x: x(value), y: height - FRAME.bottom + 16, "text-anchor": "middle" }, text));
  }
  picture.append(svg("text", { class: "axis", x: FRAME.left + inner.w / 2, y: height - 3, "text-anchor": "middle" }, options.xLabel));
  if (options.marker !== undefined && options.marker >= low && options.marker <= high) {
    picture.append(svg("line", { class: "marker", x1: x(options.marker), x2: x(options.marker), y1: FRAME.top, y2: y(0) }));
  }
  const pointed = svg("line", { class: "marker pointed", y1: FRAME.top, y2: y(0), visibility: "hidden", "aria-hidden": "true" });
  picture.append(pointed);
  // A line at a value that is pointed at elsewhere on the page; none at NaN, or outside.
  const point = (value) => {
    const isInside = value >= low && value <= high;
    pointed.setAttribute("visibility", isInside ? "visible" : "hidden");
    if (isInside) ["x1", "x2"].forEach((end) => pointed.setAttribute(end, x(value)));
  };
  return { picture, x, inner, low, high, bars, point };
}

// Numbers behind a picture: shown on demand, or copied.
export function withTable(picture, header, rows, caption) {
  const place = el("div", { class: "behind" });
  const toggle = button("Table", () => {
    const open = toggle.getAttribute("aria-expanded") === "true";
    toggle.setAttribute("aria-expanded", String(!open));
    place.replaceChildren(...(open ? [] : [el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table(header, rows, caption))]));
  }, { class: "small", "aria-expanded": "false" });
  return el("figure", {}, picture, el("figcaption", {}, el("span", {}, caption), el("span", { class: "buttons" }, toggle,
    button("Copy", () => copy(toTsv([header, ...rows]), "Numbers"), { class: "small" }))), place);
}

// Two handles over a histogram: dragged, or moved a bin by the arrow keys. change([low, high]) gets null for everything.
export function brush(chart, range, change) {
  const { picture, x, low, high, bars } = chart;
  let ends = range ? [Math.max(low, range[0]), Math.min(high, range[1])] : [low, high];
  const edges = [low, ...bars.map((bar) => bar.to)];
  const box = picture.viewBox.baseVal, top = FRAME.top, bottom = box.height - FRAME.bottom;
  const area = svg("rect", { class: "brush", y: top, height: bottom - top });
  const catcher = svg("rect", { class: "catch", x: FRAME.left, y: top, width: chart.inner.w, height: bottom - top });
  const handles = [0, 1].map((i) => svg("rect", {
    class: "handle", width: 8, y: top, height: bottom - top, rx: 3, tabindex: 0, role: "slider",
    "aria-label": i === 0 ? "lowest rate" : "highest rate", "aria-valuemin": low, "aria-valuemax": high,
  }));
  const draw = () => {
    area.setAttribute("x", x(ends[0]));
    area.setAttribute("width", Math.max(0, x(ends[1]) - x(ends[0])));
    handles.forEach((handle, i) => {
      handle.setAttribute("x", x(ends[i]) - 4);
      handle.setAttribute("aria-valuenow", ends[i]);
      handle.setAttribute("aria-valuetext", `${digits(10 ** ends[i], 3)} %`);
    });
  };
  const set = (next) => {
    ends = [Math.min(...next), Math.max(...next)];
    draw();
    change(ends[0] <= low && ends[1] >= high ? null : ends);
  };
  const valueAt = (event) => {
    const place = picture.getBoundingClientRect();
    const at = (event.clientX - place.left) * box.width / place.width;
    return Math.min(high, Math.max(low, low + (at - FRAME.left) / chart.inner.w * (high - low)));
  };
  const drag = (event, moved) => {
    event.preventDefault();
    const start = valueAt(event), before = ends;
    const move = (next) => set(moved(before, start, valueAt(next)));
    const end = () => {
      picture.removeEventListener("pointermove", move);
      picture.removeEventListener("pointerup", end);
    };
    picture.setPointerCapture(event.pointerId);
    picture.addEventListener("pointermove", move);
    picture.addEventListener("pointerup", end);
  };
  catcher.addEventListener("pointerdown", (event) => drag(event, (_, start, now) => [start, now]));
  handles.forEach((handle, i) => {
    handle.addEventListener("pointerdown", (event) => drag(event, (before, _, now) => (i === 0 ? [now, before[1]] : [before[0], now])));
    handle.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const at = edges.reduce((best, edge, k) => (Math.abs(edge - ends[i]) < Math.abs(edges[best] - ends[i]) ? k : best), 0);
      const next = edges[Math.min(edges.length - 1, Math.max(0, at + step))];
      set(i === 0 ? [Math.min(next, ends[1]), ends[1]] : [ends[0], Math.max(next, ends[0])]);
    });
  });
  picture.append(area, catcher, ...handles);
  picture.setAttribute("role", "group");
  draw();
}

// Rates of the features that fire, as log10 of percent.
export function densityBars(run) {
  let low = Infinity, high = -Infinity;
  for (let f = 0; f < run.n; f++) {
    if (run.n_fires[f] === 0) continue;
    const value = Math.log10(run.rate_pct[f]);
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (low > high) return null;
  if (low === high) [low, high] = [low - 0.5, high + 0.5];
  const bars = Array.from({ length: 50 }, (_, i) => ({ from: low + (high - low) * i / 50, to: low + (high - low) * (i + 1) / 50, count: 0 }));
  for (let f = 0; f < run.n; f++) {
    if (run.n_fires[f] === 0) continue;
    bars[Math.min(49, Math.floor((Math.log10(run.rate_pct[f]) - low) / (high - low) * 50))].count++;
  }
  return bars;
}

export function rateTicks(low, high) {
  const ticks = [];
  for (let e = Math.ceil(low); e <= Math.floor(high); e++) ticks.push([e, e >= -2 && e <= 2 ? `${10 ** e} %` : `${powerOfTen(e)} %`]);
  return ticks.length > 0 ? ticks : [[low, `${digits(10 ** low, 2)} %`], [high, `${digits(10 ** high, 2)} %`]];
}

// The histogram of rates with a brush. range, and what change gets, are in percent.
export function densityChart(run, options) {
  const bars = densityBars(run);
  if (bars === null) return el("p", { class: "dim" }, "No feature fires.");
  const low = bars[0].from, high = bars[bars.length - 1].to;
  const chart = histogram(bars, {
    width: options.width, height: options.height, xTicks: rateTicks(low, high), xLabel: "fire rate (log scale)",
    label: `Histogram of the fire rates of ${plural(run.n - run.meta.n_dead, "feature")}`, marker: Math.log10(run.meta.median_rate_pct),
  });
  const toLog = (range) => range && range.map((pct) => Math.log10(Math.max(pct, 1e-12)));
  brush(chart, toLog(options.range), (ends) => {
    const floor = (x) => Number((10 ** x * (1 - 1e-9)).toPrecision(8)), ceil = (x) => Number((10 ** x * (1 + 1e-9)).toPrecision(8));
    options.change(ends && [floor(ends[0]), ceil(ends[1])]);
  });
  const rows = bars.map((bar) => [digits(10 ** bar.from, 4), digits(10 ** bar.to, 4), bar.count]);
  return withTable(chart.picture, ["rate from %", "to %", "features"], rows,
    `${plural(run.n - run.meta.n_dead, "feature")} in ${plural(run.meta.rows.used, "row")}; dashed: the median of all features, ${digits(run.meta.median_rate_pct, 3)} %. Drag, or use the handles, to choose rates.`);
}
