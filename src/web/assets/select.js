// Which features are meant, and in which order: an array of their numbers.
import { readRange } from "./route.js";
import { insideOf, readLasso } from "./scatter.js";

export const SHOWS = ["all", "firing", "dead", "dense", "labelled", "undescribed"];
export const DENSE_PCT = 10;

const COLUMNS = {
  feature: () => null, rate: (run) => run.rate_pct, fires: (run) => run.n_fires, max: (run) => run.max_activation,
  mean: (run) => run.mean_activation, score: (run) => run.label_auc,
};

function showTest(run, show) {
  const fires = run.n_fires;
  if (show === "firing") return (f) => fires[f] > 0;
  if (show === "dead") return (f) => fires[f] === 0;
  if (show === "dense") return (f) => run.rate_pct[f] >= DENSE_PCT;
  if (show === "labelled") return (f) => run.labels !== null && run.labels[f] !== "";
  if (show === "undescribed") return (f) => run.labels === null || run.labels[f] === "";
  return null;
}

// What words are looked for in, a text a feature.
function haystack(run) {
  if (!run.haystack) {
    run.haystack = Array.from({ length: run.n }, (_, f) =>
      (run.labels === null ? `${f}` : `${f} ${run.labels[f]} ${run.keywords[f]}`).toLowerCase());
  }
  return run.haystack;
}

function inRange(column, range) {
  return range && column ? (f) => column[f] >= range[0] && column[f] <= range[1] : null;
}

export function words(text) {
  return (text || "").toLowerCase().split(/\s+/).filter((word) => word !== "");
}

// The features whose label, keywords or number have all words; null where there are none.
export function featureHits(run, text) {
  const wanted = words(text), texts = wanted.length > 0 ? haystack(run) : null, hits = [];
  if (texts === null) return null;
  for (let f = 0; f < run.n; f++) if (wanted.every((word) => texts[f].includes(word))) hits.push(f);
  return hits;
}

function lassoTest(run, corners) {
  if (corners === null || run.map === null) return null;
  const inside = insideOf(corners);
  return (f) => inside(run.map.x[f], run.map.y[f]);
}

function tests(run, query) {
  const wanted = words(query.get("q"));
  const texts = wanted.length > 0 ? haystack(run) : null;
  return [
    showTest(run, query.get("show")), inRange(run.rate_pct, readRange(query.get("rate"))), inRange(run.label_auc, readRange(query.get("score"))),
    texts && ((f) => wanted.every((word) => texts[f].includes(word))), lassoTest(run, readLasso(query.get("lasso"))),
  ].filter((test) => test);
}

// All features, ascending by "rate" or descending by "-rate"; equal ones by number, NaN last. Kept, since filters change more often than orders.
function orderOf(run, sort) {
  run.orders = run.orders || new Map();
  if (!run.orders.has(sort)) run.orders.set(sort, sortAll(run, sort));
  return run.orders.get(sort);
}

function sortAll(run, sort) {
  const falling = sort.startsWith("-");
  const all = Uint32Array.from({ length: run.n }, (_, f) => f);
  const column = (COLUMNS[sort.replace(/^-/, "")] || COLUMNS.feature)(run);
  if (column === null) return falling ? all.reverse() : all;
  const keys = Float64Array.from(column, (x) => (Number.isNaN(x) ? Infinity : falling ? -x : x));
  return all.sort((a, b) => keys[a] - keys[b] || a - b);
}

export function selectFeatures(run, query) {
  const order = orderOf(run, query.get("sort") || "-rate");
  const all = tests(run, query);
  if (all.length === 0) return order;
  const fits = new Uint8Array(run.n); // by number first: labels are read in the order in which they lie
  for (let f = 0; f < run.n; f++) fits[f] = all.every((test) => test(f)) ? 1 : 0;
  const found = new Uint32Array(run.n);
  let n = 0;
  for (const f of order) {
    if (fits[f]) found[n++] = f;
  }
  return found.subarray(0, n);
}
