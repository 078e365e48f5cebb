// The map of features, and beside it that of the sampled texts: one view of both. What is in sight, or in the lasso, is listed.
import { button, command, copy, el, toTsv } from "./dom.js";
import { count, percent, plural } from "./numbers.js";
import { chartWidth } from "./chart.js";
import { featuresOfTexts, labelOf } from "./data.js";
import { amend, go, hash } from "./route.js";
import { featureHits, words } from "./select.js";
import { drawPoints, isDark, pointsIn, readLasso, rgba, scatter, viewLasso, wholeView, writeLasso, zoomed } from "./scatter.js";

const COLOURS = ["cluster", "rate", "score"];
// viridis, of which the first stops are seen on white and the last on black
const VIRIDIS = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#27ad81", "#5cc863", "#aadc32", "#fde725"].map(rgba);
const CLUSTERS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a87b00", "#56b4e9", "#7a5195"];
const LISTED = 40;
const SHARED = 8;
const SNIPPET_CHARS = 200;
const SIDE_BY_SIDE_PX = 700;

// ---- colours ----

function ramp(values, low, high) {
  const stops = isDark() ? VIRIDIS.slice(3) : VIRIDIS.slice(0, 6);
  return Uint32Array.from(values, (x) => (Number.isNaN(x) ? 0 : stops[Math.min(stops.length - 1, Math.max(0, Math.floor((x - low) / (high - low) * stops.length)))]));
}

// Those of the seven largest clusters differ, the others are grey.
function clusterColours(clusters) {
  const colours = CLUSTERS.map(rgba), of = new Uint32Array(clusters.length);
  for (let i = 0; i < clusters.length; i++) {
    const c = clusters[i];
    if (c >= 0 && c < colours.length) of[i] = colours[c];
  }
  return of;
}

function featureColours(run, by) {
  if (by === "rate") return ramp(Float32Array.from(run.rate_pct, (pct) => (pct === 0 ? NaN : Math.log10(pct))), -2, 1);
  if (by === "score" && run.label_auc !== null) return ramp(run.label_auc, 0.5, 1);
  return clusterColours(run.map.clusters);
}

function legend(run, by) {
  if (by === "rate") return el("p", { class: "dim" }, "Colour of features: fire rate, from 0.01 % to 10 %, dark to light.");
  if (by === "score") return el("p", { class: "dim" }, "Colour of features: score of the label, from 0.5 to 1, dark to light.");
  if (run.map.labels === null) return null;
  const links = run.map.labels.slice(0, CLUSTERS.length).map((label, c) => {
    const mark = el("span", { class: "swatch", "aria-hidden": "true" });
    mark.style.setProperty("background", CLUSTERS[c]);
    return el("span", { class: "key" }, mark, label || `cluster ${c}`);
  });
  return el("p", { class: "links" }, links, run.map.labels.length > CLUSTERS.length ? el("span", { class: "dim" }, `and ${plural(run.map.labels.length - CLUSTERS.length, "smaller cluster")} in grey`) : null);
}

// ---- what is marked ----

function marksOf(n, numbers) {
  const marks = new Uint8Array(n);
  for (const i of numbers) marks[i] = 1;
  return marks;
}

// Texts of the map that hold all words; null where nothing is looked for.
async function textHits(run, query, stillWanted) {
  const wanted = words(query.get("q")), { numbers } = run.map.texts, hits = new Uint8Array(numbers.length);
  const feature = query.get("feature");
  if (feature !== null) {
    const own = new Set(["top", "firing"].flatMap((kind) => (run[kind] === null || !(Number(feature) < run.n) ? [] : run[kind].of(Number(feature)).map((item) => item.text))));
    for (let i = 0; i < numbers.length; i++) hits[i] = own.has(numbers[i]) ? 1 : 0;
    return hits;
  }
  if (wanted.length === 0 || !run.meta.shown.texts) return null;
  for (let i = 0; i < numbers.length; i++) {
    if (numbers[i] < 0) continue;
    const text = (await run.text(numbers[i])).toLowerCase();
    if (i % 2000 === 1999 && !stillWanted()) return null;
    hits[i] = wanted.every((word) => text.includes(word)) ? 1 : 0;
  }
  return hits;
}

const countOf = (marks) => marks.reduce((n, mark) => n + mark, 0);

// ---- lists ----

// The `most` of some features that fire most often.
function mostFrequent(run, features, most) {
  const best = [];
  for (const f of features) {
    const rate = run.rate_pct[f];
    if (best.length === most && rate <= run.rate_pct[best[most - 1]]) continue;
    let at = best.length;
    while (at > 0 && rate > run.rate_pct[best[at - 1]]) at--;
    best.splice(at, 0, f);
    best.length = Math.min(best.length, most);
  }
  return best;
}

function featureLine(run, f, more) {
  return el("li", {}, el("a", { href: hash(`feature/${f}`) }, `${f} ${labelOf(run, f)}`), el("span", { class: "dim" }, ` ${more}`));
}

// The features in whose lists of strongest texts most of some texts stand.
function sharedFeatures(run, numbers) {
  const counts = new Map(), of = featuresOfTexts(run);
  for (const number of numbers) {
    for (const { feature } of of.get(number) || []) counts.set(feature, (counts.get(feature) || 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, SHARED);
}

async function textLine(run, i) {
  const { numbers, rows } = run.map.texts;
  const whole = numbers[i] < 0 ? null : await run.text(numbers[i]);
  return el("li", { class: "item" }, el("p", { class: "text", dir: "auto" }, whole === null ? el("span", { class: "dim" }, "This text is not here.") : [...whole].slice(0, SNIPPET_CHARS).join("")),
    el("p", { class: "dim" }, rows[i] < 0 ? "" : `row ${count(rows[i])}`));
}

// ---- the page ----

function panel(run, name, points, options) {
  const canvas = scatter(points, options);
  const found = el("p", { class: "found", role: "status" }), list = el("ul", { class: "texts", tabindex: 0, "aria-label": `${name} in view or in the lasso` }), buttons = el("span", { class: "buttons" }), more = el("div", {});
  const root = el("section", { class: "panel", "data-panel": name.toLowerCase() }, el("h2", {}, name), canvas, el("div", { class: "above" }, found, buttons), more, list);
  return { root, canvas, found, list, buttons, more, points, marks: null, colours: null };
}

export function mapPage(run, where) {
  if (run.map === null) return el("div", { class: "page" }, el("h1", {}, "Map"), el("p", {}, "The run has no map yet: saescope map RUN makes one."));
  const query = where.query, hasTexts = run.map.texts !== null, all = chartWidth(1068);
  const width = hasTexts && all >= SIDE_BY_SIDE_PX ? Math.floor((all - 16) / 2) : all, height = Math.round(Math.min(hasTexts ? 520 : 620, width * 0.9));
  const sets = hasTexts ? [run.map, run.map.texts] : [run.map];
  if (!run.map.whole || run.map.whole.width !== width) run.map.whole = { ...wholeView(sets, width, height), width };
  const whole = run.map.whole;
  let view = whole, lasso = readLasso(query.get("lasso")), latest = 0;
  const key = el("div", {}), lassoButton = button("Lasso", () => lassoButton.setAttribute("aria-pressed", String(lassoButton.getAttribute("aria-pressed") !== "true")), { "aria-pressed": "false", title: "drag to choose; or hold Shift" });
  const options = {
    width, height, view: () => view, isLasso: () => lassoButton.getAttribute("aria-pressed") === "true",
    setView: (next, isDone) => { view = next || whole; redraw(); if (isDone) relist(); },
    lasso: (corners, isDone) => { if (isDone) setLasso(corners); else { lasso = corners; redraw(); } },
  };
  const focusList = (own) => { const link = own.list.querySelector("a"); if (link) link.focus(); };
  const features = panel(run, "Features", run.map, { ...options, picked: (f) => go(hash(`feature/${f}`)), title: (f) => `${f} ${labelOf(run, f)}`, entered: () => focusList(features) });
  const texts = hasTexts ? panel(run, "Texts", run.map.texts, { ...options, picked: (i) => pickText(i), title: (i) => (run.map.texts.rows[i] < 0 ? "" : `row ${count(run.map.texts.rows[i])}`), entered: () => texts.list.querySelector("li") && texts.root.querySelector(".more a")?.focus() }) : null;
  const panels = hasTexts ? [features, texts] : [features];

  function redraw() {
    const dark = isDark(), grey = rgba(dark ? "#6e7681" : "#8c959f"), markColour = rgba(dark ? "#ffab70" : "#d55e00");
    for (const own of panels) drawPoints(own.canvas, own.points, view, { colours: own.colours, marks: own.marks, grey, markColour, lasso });
  }
  function recolour() {
    const by = query.get("colour") || "cluster";
    key.replaceChildren(legend(run, by) || "");
    features.colours = featureColours(run, by);
    if (hasTexts) texts.colours = run.map.texts.colours = run.map.texts.colours || clusterColours(run.map.texts.clusters);
    redraw();
  }
  const chosenOf = (own) => {
    const inside = pointsIn(own.points, view, width, height, lasso);
    return own.marks === null ? inside : inside.filter((i) => own.marks[i] === 1);
  };
  const where2 = () => `${lasso === null ? "in view" : "in the lasso"}`;
  function relistFeatures() {
    const chosen = chosenOf(features), n = chosen.length, hits = features.marks === null ? "" : `; ${plural(countOf(features.marks), "hit")} on the whole map`;
    features.canvas.setAttribute("aria-label", `Map of features; ${plural(n, "feature")} ${where2()}`);
    features.found.textContent = `${plural(n, "feature")} ${where2()}${hits}${n > LISTED ? `; the ${LISTED} that fire most often:` : ""}`;
    features.list.replaceChildren(...mostFrequent(run, chosen, LISTED).map((f) => featureLine(run, f, percent(run.rate_pct[f]))));
    const table = new URLSearchParams({ lasso: writeLasso(lasso || viewLasso(view, width, height)), ...(query.get("q") ? { q: query.get("q") } : {}) });
    features.buttons.replaceChildren(el("a", { href: hash("features", table) }, "As a table"), button("Copy ids", () => copy(`${Array.from(chosen).join(" ")}\n`, "Ids"), { class: "small" }));
  }
  async function relistTexts(first) {
    const number = ++latest, chosen = chosenOf(texts), n = chosen.length, { numbers, rows } = run.map.texts;
    const hits = texts.marks === null ? "" : `; ${plural(countOf(texts.marks), "hit")} on the whole map`;
    texts.canvas.setAttribute("aria-label", `Map of texts; ${plural(n, "text")} ${where2()}`);
    texts.found.textContent = `${plural(n, "text")} ${where2()}${hits}${n > LISTED ? `; the first ${LISTED}:` : ""}`;
    texts.buttons.replaceChildren(button("Copy texts", async () => copy(toTsv([["row", "text"], ...await Promise.all(Array.from(chosen.filter((i) => numbers[i] >= 0), async (i) => [rows[i], (await run.text(numbers[i])) || ""]))]), "Texts"), { class: "small" }));
    const shared = lasso === null && texts.marks === null ? [] : sharedFeatures(run, Array.from(chosen, (i) => numbers[i]).filter((i) => i >= 0));
    texts.more.replaceChildren(...(shared.length === 0 ? [] : [el("p", { class: "dim" }, "Features that have them among their strongest texts:"),
      el("ul", { class: "texts more" }, shared.map(([f, k]) => featureLine(run, f, plural(k, "text"))))]));
    const lines = await Promise.all([...(first === undefined ? [] : [first]), ...chosen.subarray(0, LISTED).filter((i) => i !== first)].map((i) => textLine(run, i)));
    if (first !== undefined) lines[0].classList.add("picked");
    if (number === latest) texts.list.replaceChildren(...lines);
  }
  function pickText(i) {
    return relistTexts(i);
  }
  function relist() {
    relistFeatures();
    return hasTexts ? relistTexts() : null;
  }
  function setLasso(corners) {
    lasso = corners;
    set("lasso", writeLasso(corners), false);
  }
  async function mark() {
    const number = ++latest, one = query.get("feature"), found = featureHits(run, query.get("q"));
    const before = panels.map((own) => own.marks);
    features.marks = one !== null ? marksOf(run.n, [Number(one)].filter((f) => f < run.n)) : found === null ? null : marksOf(run.n, found);
    if (hasTexts) {
      const hits = await textHits(run, query, () => number === latest);
      if (number !== latest) return;
      texts.marks = hits;
    }
    if (panels.some((own, i) => own.marks !== before[i])) redraw();
    await relist();
  }
  function set(name, value, isMark = true) {
    if (value) query.set(name, value);
    else query.delete(name);
    if (name === "q") query.delete("feature");
    amend("map", query);
    if (name === "colour") recolour();
    if (isMark && name !== "colour") return mark();
    redraw();
    return relist();
  }
  const search = el("input", { type: "search", id: "search", placeholder: "words in labels and texts: marked on the map", value: query.get("q"), "aria-label": "Words", on: { input: (event) => set("q", event.target.value) } });
  const colour = el("select", { "aria-label": "Colour", on: { change: (event) => set("colour", event.target.value) } }, COLOURS.map((name) => el("option", { value: name, selected: query.get("colour") === name }, `colour: ${name}`)));
  const zoomButton = (text, factor, name) => button(text, () => options.setView(zoomed(view, factor, width / 2, height / 2), true), { "aria-label": name });
  const one = query.get("feature");
  const page = el("div", { class: "page wide" }, el("h1", {}, "Map"), one === null ? null : el("p", {}, "Marked: ", el("a", { href: hash(`feature/${one}`) }, `feature ${one}`), " and the texts of its lists. ", el("a", { href: hash("map") }, "Everything")),
    el("div", { class: "filters" }, search, colour, zoomButton("+", 1.25, "Nearer"), zoomButton("−", 0.8, "Farther"), button("All", () => options.setView(whole, true)), lassoButton,
      button("Choose the view", () => setLasso(viewLasso(view, width, height)), { title: "everything in sight becomes the lasso" }), button("No lasso", () => setLasso(null))),
    key, el("div", { class: hasTexts ? "panels" : null }, panels.map((own) => own.root)), command("saescope map RUN"));
  recolour();
  page.recoloured = recolour;
  page.ready = mark();
  return page;
}
