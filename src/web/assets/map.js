// The map of features: every dot is drawn as pixels, without a GPU. Drag moves, the wheel and + - zoom, a click opens.
import { button, el } from "./dom.js";
import { count, percent, plural } from "./numbers.js";
import { chartWidth } from "./chart.js";
import { labelOf } from "./data.js";
import { amend, go, hash } from "./route.js";
import { selectFeatures } from "./select.js";

const COLOURS = ["cluster", "rate", "score"];
// viridis, of which the first stops are seen on white and the last on black
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#27ad81", "#5cc863", "#aadc32", "#fde725"];
const REACH_PX = 12;
const LISTED = 40;

const rgb = (text) => [1, 3, 5].map((i) => parseInt(text.slice(i, i + 2), 16));

function ramp(values, low, high, isDark) {
  const stops = (isDark ? VIRIDIS.slice(3) : VIRIDIS.slice(0, 6)).map(rgb);
  return (f) => (Number.isNaN(values(f)) ? null : stops[Math.min(stops.length - 1, Math.max(0, Math.floor((values(f) - low) / (high - low || 1) * stops.length)))]);
}

// A colour for each feature: those of the seven largest clusters differ, the others are grey.
function colouring(run, by, isDark) {
  const clusters = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87b00", "#56b4e9", "#7a5195"].map(rgb);
  if (by === "rate") return ramp((f) => (run.n_fires[f] === 0 ? NaN : Math.log10(run.rate_pct[f])), -2, 1, isDark);
  if (by === "score" && run.label_auc !== null) return ramp((f) => run.label_auc[f], 0.5, 1, isDark);
  return (f) => clusters[run.map.clusters[f]] || null;
}

function bounds(run) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let f = 0; f < run.n; f++) {
    const x = run.map.x[f], y = run.map.y[f];
    if (Number.isNaN(x)) continue;
    box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y); box[2] = Math.max(box[2], x); box[3] = Math.max(box[3], y);
  }
  return box;
}

function makeView(run, width, height) {
  const box = bounds(run), margin = 16;
  const scale = Math.min((width - 2 * margin) / (box[2] - box[0] || 1), (height - 2 * margin) / (box[3] - box[1] || 1));
  return { scale, first: scale, x: width / 2 - scale * (box[0] + box[2]) / 2, y: height / 2 + scale * (box[1] + box[3]) / 2 };
}

function drawDots(canvas, run, view, state) {
  const { width, height } = canvas, image = new ImageData(width, height), pixels = new Uint32Array(image.data.buffer);
  const grey = state.isDark ? [110, 118, 129] : [140, 149, 159];
  const dot = Math.max(2, Math.min(7, Math.round(2 + Math.log2(view.scale / view.first) + (run.n < 5000 ? 2 : 0))));
  const passes = state.hits === null ? [0] : [0, 1];
  for (const pass of passes) {
    for (let f = 0; f < run.n; f++) {
      const left = Math.round(view.x + view.scale * run.map.x[f] - dot / 2), top = Math.round(view.y - view.scale * run.map.y[f] - dot / 2);
      const isHit = state.hits !== null && state.hits[f] === 1;
      if (!(left >= 0 && top >= 0 && left < width - dot && top < height - dot) || (pass === 1) !== isHit) continue;
      const [r, g, b] = (state.hits === null || isHit ? state.colour(f) : null) || (isHit ? [213, 94, 0] : grey);
      const value = (255 << 24 | b << 16 | g << 8 | r) >>> 0, size = isHit ? dot + 2 : dot;
      for (let j = 0; j < size; j++) pixels.fill(value, (top + j) * width + left, (top + j) * width + left + size);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

function nearest(run, view, x, y) {
  let best = -1, least = REACH_PX * REACH_PX;
  for (let f = 0; f < run.n; f++) {
    const dx = view.x + view.scale * run.map.x[f] - x, dy = view.y - view.scale * run.map.y[f] - y, square = dx * dx + dy * dy;
    if (square < least) [best, least] = [f, square];
  }
  return best;
}

function legend(run, by) {
  if (by === "rate") return el("p", { class: "dim" }, "Colour: fire rate, from 0.01 % to 10 %, dark to light.");
  if (by === "score") return el("p", { class: "dim" }, "Colour: score of the label, from 0.5 to 1, dark to light.");
  if (run.map.labels === null) return null;
  const links = run.map.labels.slice(0, 7).map((label, c) => {
    const mark = el("span", { class: "swatch" });
    mark.style.setProperty("background", ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87b00", "#56b4e9", "#7a5195"][c]);
    return el("span", { class: "key" }, mark, label || `cluster ${c}`);
  });
  return el("p", { class: "links" }, links, run.map.labels.length > 8 ? el("span", { class: "dim" }, `and ${count(run.map.labels.length - 7)} smaller clusters in grey`) : null);
}

export function mapPage(run, where) {
  if (run.map === null) return el("div", { class: "page" }, el("h1", {}, "Map"), el("p", {}, "The run has no map yet: saescope map RUN makes one."));
  const query = where.query, width = chartWidth(1068), height = Math.round(Math.min(620, width * 0.8));
  const canvas = el("canvas", { width, height, tabindex: 0, role: "img", class: "map" });
  const tip = el("p", { class: "found", role: "status" }), list = el("ul", { class: "texts" }), key = el("div", {});
  let view = makeView(run, width, height);
  const state = { hits: null, colour: null, isDark: false };

  function inView() {
    const shown = [];
    for (const f of selectFeatures(run, query)) {
      const x = view.x + view.scale * run.map.x[f], y = view.y - view.scale * run.map.y[f];
      if (x >= 0 && y >= 0 && x < width && y < height) shown.push(f);
    }
    return shown;
  }
  function redraw() {
    state.isDark = getComputedStyle(document.documentElement).getPropertyValue("--back").trim() === "#0d1117";
    state.colour = colouring(run, query.get("colour") || "cluster", state.isDark);
    state.hits = null;
    if (query.get("q")) {
      state.hits = new Uint8Array(run.n);
      for (const f of selectFeatures(run, query)) state.hits[f] = 1;
    }
    drawDots(canvas, run, view, state);
  }
  function relist() {
    const shown = inView();
    canvas.setAttribute("aria-label", `Map of features; ${plural(shown.length, "feature")} in view`);
    tip.textContent = `${plural(shown.length, "feature")} in view${query.get("q") ? " with these words" : ""}${shown.length > LISTED ? `; the ${LISTED} that fire most often:` : ":"}`;
    list.replaceChildren(...shown.slice(0, LISTED).map((f) => el("li", {}, el("a", { href: hash(`feature/${f}`) }, `${f} ${labelOf(run, f)}`), el("span", { class: "dim" }, ` ${percent(run.rate_pct[f])}`))));
  }
  function change() { redraw(); relist(); }
  function zoom(factor, x, y) {
    view = { ...view, scale: view.scale * factor, x: x - factor * (x - view.x), y: y - factor * (y - view.y) };
    change();
  }
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * width / box.width, (event.clientY - box.top) * height / box.height];
  };
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8, ...placeOf(event)); }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    const start = placeOf(event), before = view;
    let moved = false;
    const move = (next) => {
      const now = placeOf(next);
      moved = moved || Math.hypot(now[0] - start[0], now[1] - start[1]) > 4;
      if (moved) { view = { ...before, x: before.x + now[0] - start[0], y: before.y + now[1] - start[1] }; redraw(); }
    };
    const end = (next) => {
      canvas.removeEventListener("pointermove", move);
      canvas.removeEventListener("pointerup", end);
      const f = moved ? -1 : nearest(run, view, ...placeOf(next));
      if (f >= 0) go(hash(`feature/${f}`));
      else relist();
    };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", end);
  });
  canvas.addEventListener("mousemove", (event) => {
    const f = event.buttons === 0 ? nearest(run, view, ...placeOf(event)) : -1;
    canvas.title = f < 0 ? "" : `${f} ${labelOf(run, f)}`;
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key];
    if (step) { event.preventDefault(); view = { ...view, x: view.x + step[0], y: view.y + step[1] }; change(); }
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.25 : 0.8, width / 2, height / 2);
  });
  const set = (name, value) => { if (value) query.set(name, value); else query.delete(name); amend("map", query); key.replaceChildren(legend(run, query.get("colour") || "cluster") || ""); change(); };
  const search = el("input", { type: "search", id: "search", placeholder: "words in labels: marked on the map", value: query.get("q"), "aria-label": "Words", on: { input: (event) => set("q", event.target.value) } });
  const colour = el("select", { "aria-label": "Colour", on: { change: (event) => set("colour", event.target.value) } }, COLOURS.map((name) => el("option", { value: name, selected: query.get("colour") === name }, `colour: ${name}`)));
  const page = el("div", { class: "page wide" }, el("h1", {}, "Map"), el("div", { class: "filters" }, search, colour,
    button("+", () => zoom(1.25, width / 2, height / 2), { "aria-label": "Nearer" }), button("−", () => zoom(0.8, width / 2, height / 2), { "aria-label": "Farther" }), button("All", () => { view = makeView(run, width, height); change(); })),
  key, canvas, tip, list);
  page.shown = () => set("q", query.get("q"));
  return page;
}
