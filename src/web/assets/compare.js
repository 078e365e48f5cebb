// Two runs: how often features fire in this one (A) and in another (B), as `saescope diff` computes it.
import { button, command, copy, download, el, toTsv } from "./dom.js";
import { count, digits, percent, plural, powerOfTen, share } from "./numbers.js";
import { chartWidth } from "./chart.js";
import { labelOf } from "./data.js";
import { amend, go, hash } from "./route.js";
import { virtualList } from "./list.js";
import { drawPoints, isDark, rgba, scatter, zoomed } from "./scatter.js";
import { words } from "./select.js";
import { FILES } from "./features.js";

const MOST_Q = "0.05";
const DIFF_COLUMNS = [
  { name: "a", title: "A", class: "id" }, { name: "b", title: "B", class: "id other" }, { name: null, title: "label", class: "label" }, { name: "rateA", title: "rate A", class: "number rate", falls: true },
  { name: "rateB", title: "rate B", class: "number rate", falls: true }, { name: "difference", title: "B − A", class: "number fires", falls: true }, { name: "effect", title: "effect", class: "number mean", falls: true }, { name: "q", title: "q", class: "number max" },
];

export async function loadComparison(npz, run) {
  if (!npz.has("compare_a")) return null;
  const names = ["a", "b", "similarity", "effect", "odds", "z", "fires_b", "difference", "low", "high", "p", "q", "labels"];
  const arrays = await Promise.all(names.map((name) => npz.array(`compare_${name}`)));
  const all = Object.fromEntries(names.map((name, i) => [name, arrays[i]]));
  all.meta = JSON.parse(new TextDecoder().decode(await npz.file("compare.json")));
  all.n = all.a.length;
  all.labels = all.labels === null ? null : new TextDecoder().decode(all.labels).split("\n");
  all.rateA = Float32Array.from(all.a, (f) => run.rate_pct[f]); // as features.csv has them
  all.rateB = Float32Array.from(all.fires_b, (k) => 100 * k / all.meta.rows_used);
  return all;
}

// ---- which differences, in which order ----

function labelsOf(run, all, i) {
  const own = labelOf(run, all.a[i]), other = all.labels === null ? "" : all.labels[all.b[i]] || "";
  return own !== "" && other !== "" && own !== other ? `${own} | ${other}` : own || other;
}

export function selectDifferences(run, all, query) {
  const wanted = words(query.get("q")), most = query.get("most") === null ? Number(MOST_Q) : Number(query.get("most")), sort = query.get("sort") || "q";
  const chosen = [];
  for (let i = 0; i < all.n; i++) {
    if (!(all.q[i] <= most || most >= 1)) continue;
    if (wanted.length > 0) {
      const text = `${all.a[i]} ${labelsOf(run, all, i)}`.toLowerCase();
      if (!wanted.every((word) => text.includes(word))) continue;
    }
    chosen.push(i);
  }
  if (sort !== "q") { // they come by it
    const column = all[sort.replace(/^-/, "")] || all.q, sign = sort.startsWith("-") ? -1 : 1;
    chosen.sort((i, j) => sign * (column[i] - column[j]) || i - j);
  }
  return Uint32Array.from(chosen);
}

// ---- files ----

export function differenceRows(run, all, chosen) {
  const finite = (x) => (Number.isFinite(x) ? x : null);
  return Array.from(chosen, (i) => ({ feature_a: all.a[i], feature_b: all.b[i], similarity: all.similarity[i], n_fires_a: run.n_fires[all.a[i]], n_rows_a: run.meta.rows.used,
    n_fires_b: all.fires_b[i], n_rows_b: all.meta.rows_used, difference_pct: all.difference[i], low_pct: all.low[i], high_pct: all.high[i], effect: all.effect[i],
    odds_ratio: finite(all.odds[i]), z: finite(all.z[i]), p: finite(all.p[i]), q: finite(all.q[i]), label: labelsOf(run, all, i) }));
}

function diffExports(run, all, chosen) {
  return el("span", { class: "buttons" }, Object.entries(FILES).map(([kind, [type, write]]) => button(kind.toUpperCase(), () => download(`differences.${kind}`, type, write(differenceRows(run, all, chosen()))), { class: "small" })),
    button("Copy", () => {
      const rows = differenceRows(run, all, chosen());
      copy(toTsv([Object.keys(rows[0] || {}), ...rows.map(Object.values)]), "Table");
    }, { class: "small" }));
}

// ---- the picture ----

// Places of the rates, as powers of ten; one that never fires lies a decade below the rest.
function ratePlaces(all) {
  const least = Math.min(...[all.rateA, all.rateB].map((rates) => rates.reduce((low, rate) => (rate > 0 ? Math.min(low, rate) : low), 100)));
  const place = (rate) => Math.log10(rate > 0 ? rate : least / 10);
  return { x: Float64Array.from(all.rateA, place), y: Float64Array.from(all.rateB, place), low: Math.log10(least / 10) };
}

function ratePicture(run, all, options) {
  const places = ratePlaces(all), size = Math.min(chartWidth(460), 460), pad = 24;
  const scale = (size - 2 * pad) / (2 - places.low);
  const whole = { scale, first: scale, x: pad - scale * places.low, y: size - pad + scale * places.low };
  let view = whole, marks = null;
  const canvas = scatter(places, {
    width: size, height: size, view: () => view, setView: (next) => { view = next || whole; redraw(); }, isLasso: () => false, lasso: () => {},
    picked: (i) => go(hash(`feature/${all.a[i]}`)), title: (i) => `${all.a[i]} ${labelsOf(run, all, i)}: ${percent(all.rateA[i])} and ${percent(all.rateB[i])}`, entered: options.entered,
  });
  function redraw() {
    const dark = isDark(), more = rgba(dark ? "#56b4e9" : "#0072b2"), less = rgba(dark ? "#ffab70" : "#d55e00"), grey = rgba(dark ? "#6e7681" : "#8c959f");
    const colours = Uint32Array.from(all.difference, (d, i) => (all.q[i] <= 0.05 ? (d > 0 ? more : less) : 0));
    drawPoints(canvas, places, view, { colours, marks, grey, markColour: grey, lasso: null });
    const context = canvas.getContext("2d");
    context.strokeStyle = context.fillStyle = getComputedStyle(canvas).color;
    context.globalAlpha = 0.7;
    context.font = "12px sans-serif";
    context.beginPath();
    context.moveTo(view.x + view.scale * places.low, view.y - view.scale * places.low);
    context.lineTo(view.x + view.scale * 2, view.y - view.scale * 2);
    context.stroke();
    for (let e = Math.ceil(places.low) + 1; e <= 2; e++) {
      const text = e >= -1 ? `${10 ** e} %` : `${powerOfTen(e)} %`;
      context.fillText(text, view.x + view.scale * e - 14, size - 6);
      context.fillText(text, 4, view.y - view.scale * e + 4);
    }
    context.globalAlpha = 1;
  }
  const mark = (chosen) => {
    marks = chosen.length === all.n ? null : new Uint8Array(all.n);
    if (marks !== null) for (const i of chosen) marks[i] = 1;
    canvas.setAttribute("aria-label", `Rates in A (across) and in B (up), log scales; ${plural(chosen.length, "difference")} marked of ${count(all.n)}`);
    redraw();
  };
  const zoomButton = (text, factor, name) => button(text, () => { view = zoomed(view, factor, size / 2, size / 2); redraw(); }, { class: "small", "aria-label": name });
  return { mark, redraw, root: el("figure", { class: "rates" }, canvas, el("figcaption", {}, el("span", {}, "Rate in A across, in B up, log scales; on the line they are equal. Blue: more often in B, orange: less often, q of at most 0.05. At the edge: never."),
    el("span", { class: "buttons" }, zoomButton("+", 1.25, "Nearer"), zoomButton("−", 0.8, "Farther"), button("All", () => { view = whole; redraw(); }, { class: "small" })))) };
}

// ---- the page ----

function small(x) { return Number.isFinite(x) ? (x !== 0 && x < 1e-3 ? x.toExponential(1) : digits(x, 2)) : "–"; }

function cellsOf(run, all, i) {
  const rate = (pct) => (pct === 0 ? "never" : percent(pct));
  return [String(all.a[i]), el("span", { title: `cosine ${share(all.similarity[i])}` }, String(all.b[i])), labelsOf(run, all, i) || el("span", { class: "dim" }, "–"), rate(all.rateA[i]), rate(all.rateB[i]),
    el("span", { title: `95 %: ${digits(all.low[i], 3)} to ${digits(all.high[i], 3)} points` }, digits(all.difference[i], 3)), digits(all.effect[i], 2), small(all.q[i])];
}

function sortHeader(list, sort, change) {
  list.header.replaceChildren(...DIFF_COLUMNS.map((column) => {
    if (column.name === null) return el("div", { role: "columnheader", class: column.class }, column.title);
    const current = sort.replace("-", "") === column.name, falling = sort.startsWith("-");
    const next = current ? (falling ? column.name : `-${column.name}`) : (column.falls ? `-${column.name}` : column.name);
    return el("div", { role: "columnheader", class: column.class, "aria-sort": current ? (falling ? "descending" : "ascending") : "none" },
      button(`${column.title}${current ? (falling ? " ↓" : " ↑") : ""}`, () => change("sort", next), { class: "sort" }));
  }));
}

function unmatched(all) {
  const { n_unmatched_a: a, n_unmatched_b: b, is_same_sae: same } = all.meta;
  if (same) return "Both runs have the same SAE: features are compared by number.";
  return `Their SAEs differ: features are compared where their decoder directions are each other's nearest by cosine. ${plural(a, "feature")} of A and ${count(b)} of B have no such partner.`;
}

export function comparePage(run, where) {
  const all = run.comparison;
  if (all === null) return el("div", { class: "page" }, el("h1", {}, "Comparison"), el("p", {}, "Nothing is compared here: saescope view RUN --with OTHER, and report, show what differs."));
  const query = where.query;
  let chosen = new Uint32Array(0);
  const found = el("p", { class: "found", role: "status" });
  const list = virtualList({ columns: DIFF_COLUMNS, rowHeight: matchMedia("(max-width: 640px)").matches ? 56 : 32, label: "Differences", draw: (i) => cellsOf(run, all, i), open: (i) => go(hash(`feature/${all.a[i]}`)) });
  list.root.classList.add("differences");
  const picture = ratePicture(run, all, { entered: () => list.root.querySelector(".body").focus() });
  function refresh() {
    chosen = selectDifferences(run, all, query);
    found.textContent = `${plural(chosen.length, "difference")} of ${count(all.n)}${Number(query.get("most") || MOST_Q) < 1 ? ` with q of at most ${query.get("most") || MOST_Q}` : ""}`;
    sortHeader(list, query.get("sort") || "q", change);
    list.set(chosen);
    picture.mark(chosen);
  }
  function change(name, value) {
    if (value === "") query.delete(name);
    else query.set(name, value);
    amend("compare", query);
    refresh();
  }
  const search = el("input", { type: "search", id: "search", placeholder: "words in labels", value: query.get("q"), "aria-label": "Words", on: { input: (event) => change("q", event.target.value) } });
  const most = el("select", { "aria-label": "How sure", on: { change: (event) => change("most", event.target.value === MOST_Q ? "" : event.target.value) } },
    [["0.001", "q ≤ 0.001"], ["0.01", "q ≤ 0.01"], [MOST_Q, `q ≤ ${MOST_Q}`], ["1", "all"]].map(([value, text]) => el("option", { value, selected: (query.get("most") || MOST_Q) === value }, text)));
  const page = el("div", { class: "page wide" }, el("h1", {}, "Comparison"), el("div", { class: "beside" }, picture.root, el("div", {}, el("dl", { class: "facts" }, el("dt", {}, "A"), el("dd", {}, `${run.meta.title}, ${plural(run.meta.rows.used, "text")}`),
    el("dt", {}, "B"), el("dd", {}, `${all.meta.title}, ${plural(all.meta.rows_used, "text")}`)), el("p", { class: "dim" }, unmatched(all)))),
  el("div", { class: "filters" }, search, most), el("div", { class: "above" }, found, diffExports(run, all, () => chosen)), list.root,
  el("p", { class: "dim" }, "B − A in points of percent (its 95 % interval by Newcombe's method on pointing); effect: Cohen's h; q: Benjamini and Hochberg's, over all features."), command("saescope diff RUN OTHER --print-csv"));
  page.list = list;
  page.recoloured = picture.redraw;
  page.shown = () => { refresh(); list.root.querySelector(".body").focus({ preventScroll: true }); };
  return page;
}
