// One feature: what it is called and how sure that is, how often and how strongly it fires, in which texts.
import { button, command, copy, el, svg, toTsv } from "./dom.js";
import { activation, count, deadBound, digits, percent, plural, share, wilson } from "./numbers.js";
import { chartWidth, histogram, withTable } from "./chart.js";
import { binStart, childrenOf, labelOf, statusOf } from "./data.js";
import { amend, go, hash } from "./route.js";
import { DENSE_PCT, selectFeatures, words } from "./select.js";
import { influenceSection } from "./influence.js";

const SHORTEST_WORD = 3;
const AT_FIRST = 360;

// ---- words of the label in a text ----

export function markPattern(label, query) {
  const phrases = (label || "").split(/\s*,\s*/).flatMap((phrase) => [phrase, ...phrase.split(/\s+/)]);
  const wanted = [...phrases.filter((word) => word.length >= SHORTEST_WORD), ...words(query)];
  const escaped = [...new Set(wanted.map((word) => word.toLowerCase()))].sort((a, b) => b.length - a.length)
    .map((word) => word.replace(/[.*+?^${}()|[\]\\\/]/g, "\\$&"));
  return escaped.length === 0 ? null : new RegExp(`(?<![\\p{L}\\p{N}])(?:${escaped.join("|")})`, "giu");
}

export function marked(text, pattern) {
  if (pattern === null) return [text];
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(pattern)) {
    if (found[0] === "") continue;
    parts.push(text.slice(at, found.index), el("mark", {}, found[0]));
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  return parts;
}

// ---- texts ----

function whereText(run, text) {
  const parts = [];
  if (run.texts.files !== null && run.texts.files[text]) parts.push(run.texts.files[text]);
  if (run.texts.counts[text] > 1) parts.push(`×${count(run.texts.counts[text])}`);
  const row = run.texts.rows[text];
  return [row >= 0 ? el("a", { href: hash(`row/${row}`) }, `row ${count(row)}`) : null, el("span", { class: "dim" }, parts.join(" · "))];
}

function keptOf(run, text) {
  if (run.texts.kept === null || !run.texts.kept[text]) return null;
  let kept = null;
  try { kept = JSON.parse(run.texts.kept[text]); } catch { return null; }
  return keptCells(kept !== null && typeof kept.kept === "object" ? kept.kept : kept);
}

// The columns that were kept of a row; null where there are none.
export function keptCells(kept) {
  const cells = Object.entries(kept || {}).map(([name, value]) => el("span", { class: "kept" }, el("b", {}, name), ` ${typeof value === "string" ? value : JSON.stringify(value)}`));
  return cells.length > 0 ? el("p", { class: "kepts" }, cells) : null;
}

export async function textItem(run, item, most, pattern, feature) {
  const whole = await run.text(item.text);
  const body = el("p", { class: "text", dir: "auto" });
  const cut = whole !== null && run.texts.sizes[item.text] < run.texts.lengths[item.text];
  const draw = (all) => {
    if (whole === null) { body.replaceChildren(el("span", { class: "dim" }, "text left out")); return; }
    const short = all ? whole : [...whole].slice(0, AT_FIRST).join("");
    const rest = short.length < whole.length ? button("more", () => draw(true), { class: "small" }) : cut ? el("span", { class: "dim" }, "(cut)") : null;
    body.replaceChildren(...marked(short, pattern), ...(rest ? ["… ", rest] : []));
  };
  draw(false);
  const place = el("div", {});
  const ask = run.ask && whole !== null && !cut ? button("What matters?", () => place.replaceChildren(influenceSection(run, whole, feature)), { class: "small", title: "leave out each sentence, then each word, and read the rest again" }) : null;
  const bar = el("span", { class: "barbox", "aria-hidden": "true" }, el("span", { class: "fill" }));
  bar.firstChild.style.setProperty("width", `${most > 0 ? Math.max(0, Math.min(100, 100 * item.value / most)) : 0}%`);
  return el("li", { class: "item", "data-activation": item.value }, el("div", { class: "meta" }, el("span", { class: "value" }, activation(item.value)), bar,
    el("span", { class: "dim" }, `#${item.rank + 1}`), whereText(run, item.text), ask), body, keptOf(run, item.text), place);
}

const KINDS = [
  { name: "top", title: "Strongest", about: "The texts with the largest activations." },
  { name: "firing", title: "Any it fires on", about: "A sample of the texts in which it fires, whatever the activation: what it mostly responds to." },
  { name: "miss", title: "Near misses", about: "Texts in which it nearly fires; the value is the pre-activation, which the SAE's rule turned down." },
  { name: "random", title: "Random", about: "Texts drawn at random, the same for every feature, with its activation in each; 0 where it does not fire." },
];

function texts(run, feature, query) {
  const has = KINDS.filter((kind) => run[kind.name] !== null && run[kind.name].of(feature).length > 0);
  if (has.length === 0) return el("section", {}, el("h2", {}, "Texts"), el("p", { class: "dim" }, "None: it never fires."));
  const pattern = markPattern(labelOf(run, feature), query.get("q"));
  const place = el("div", { role: "tabpanel", "aria-live": "off" });
  const tabs = el("div", { role: "tablist", "aria-label": "Kinds of texts", class: "tabs" });
  const open = async (kind) => {
    const items = run[kind.name].of(feature);
    const most = Math.max(run.max_activation[feature], ...items.map((item) => item.value));
    for (const tab of tabs.children) {
      tab.setAttribute("aria-selected", String(tab.dataset.kind === kind.name));
      tab.tabIndex = tab.dataset.kind === kind.name ? 0 : -1;
    }
    const drawn = await Promise.all(items.map((item) => textItem(run, item, most, pattern, feature)));
    place.replaceChildren(el("p", { class: "dim" }, kind.about), el("ol", { class: "texts" }, drawn),
      button("Copy these texts", async () => copy(toTsv([["rank", "activation", "row", "text"],
        ...await Promise.all(items.map(async (item) => [item.rank + 1, item.value, run.texts.rows[item.text] < 0 ? "" : run.texts.rows[item.text], (await run.text(item.text)) || ""]))]), "Texts"), { class: "small" }));
  };
  has.forEach((kind) => tabs.append(button(`${kind.title} (${run[kind.name].of(feature).length})`, () => { query.set("texts", kind.name); amend(`feature/${feature}`, query); open(kind); },
    { role: "tab", "data-kind": kind.name })));
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const at = [...tabs.children].indexOf(document.activeElement);
    if (!step || at < 0) return;
    const next = tabs.children[(at + step + tabs.children.length) % tabs.children.length];
    next.focus();
    next.click();
  });
  open(has.find((kind) => kind.name === query.get("texts")) || has[0]);
  return el("section", {}, el("h2", {}, "Texts"), tabs, place);
}

// ---- numbers ----

// Round numbers between two powers of two, at their places on a log scale.
function roundTicks(low, high) {
  const steps = high - low > 6 ? [1] : high - low > 2.5 ? [1, 2, 5] : [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], ticks = [];
  for (let e = Math.floor(low * Math.log10(2)); e <= high * Math.log10(2); e++) {
    for (const step of steps) {
      const place = Math.log2(step * 10 ** e);
      if (place >= low && place <= high) ticks.push([place, String(Number((step * 10 ** e).toPrecision(2)))]);
    }
  }
  return ticks.length > 1 ? ticks : [[low, digits(2 ** low, 2)], [high, digits(2 ** high, 2)]];
}

// Where the text under the pointer, or with the focus in it, stands in the histogram.
function pointAtTexts(page, chart) {
  const point = (event) => {
    const item = event.target.closest(".item[data-activation]");
    chart.point(item === null ? NaN : Math.log2(Number(item.dataset.activation)));
  };
  page.addEventListener("pointerover", point);
  page.addEventListener("focusin", point);
  page.addEventListener("pointerleave", () => chart.point(NaN));
}

function histogramOf(run, feature) {
  if (run.histograms === null || run.n_fires[feature] === 0) return null;
  const { offsets, bins, counts } = run.histograms;
  const bars = [];
  for (let i = offsets[feature]; i < offsets[feature + 1]; i++) bars.push({ from: Math.log2(binStart(bins[i])), to: Math.log2(binStart(bins[i] + 1)), count: counts[i] });
  if (bars.length === 0) return null;
  const low = bars[0].from, high = bars[bars.length - 1].to;
  const ticks = roundTicks(low, high);
  const chart = histogram(bars, { width: chartWidth(828), height: 200, logY: true, xTicks: ticks.filter((_, i) => i % Math.ceil(ticks.length / 8) === 0), xLabel: "activation (log scale)", label: `Histogram of the activations of feature ${feature}` });
  const silent = run.meta.rows.used - run.n_fires[feature];
  return { chart, section: el("section", {}, el("h2", {}, "How strongly it fires"), withTable(chart.picture, ["from", "to", "texts"],
    bars.map((bar) => [activation(2 ** bar.from), activation(2 ** bar.to), bar.count]),
    `${plural(run.n_fires[feature], "activation")}, eight bins from a power of two to the next; in ${plural(silent, "other text")} it is 0.`)) };
}

function verdict(run, feature) {
  if (run.label_auc === null || Number.isNaN(run.label_auc[feature])) return run.label_status === null ? null : el("span", { class: `chip ${statusOf(run, feature).replace(" ", "-")}` }, statusOf(run, feature));
  const near = run.label_near[feature];
  return el("p", { class: "verdict" }, el("span", { class: `chip ${statusOf(run, feature).replace(" ", "-")}` }, statusOf(run, feature)),
    ` AUC ${share(run.label_auc[feature])} (95 %: ${share(run.label_low[feature])} to ${share(run.label_high[feature])}), ${count(run.label_positives[feature])} texts in which it fires against ${count(run.label_negatives[feature])} others`,
    Number.isNaN(near) ? "" : `; against like texts ${share(near)}`);
}

function numbers(run, feature) {
  const k = run.n_fires[feature], n = run.meta.rows.used;
  const [low, high] = wilson(k, n);
  const pair = (name, value) => [el("dt", {}, name), el("dd", {}, value)];
  return el("dl", { class: "facts" },
    pair("Fires", `${count(k)} of ${plural(n, "text")}`),
    pair("Rate", k === 0 ? `dead; below ${percent(deadBound(n))} (95 %)` : `${percent(run.rate_pct[feature])} (95 %: ${percent(low)} to ${percent(high)})`),
    k === 0 ? null : pair("Largest activation", activation(run.max_activation[feature])),
    k === 0 ? null : pair("Mean where it fires", activation(run.mean_activation[feature])),
    run.keywords !== null && run.keywords[feature] ? pair("Keywords", run.keywords[feature]) : null);
}

// ---- what fires with it ----

function featureLink(run, feature) {
  return el("a", { href: hash(`feature/${feature}`) }, `${feature} ${labelOf(run, feature)}`);
}

function pairsOf(run, feature) {
  if (run.pairs === null) return null;
  const pairs = run.pairs.of(feature);
  if (pairs.length === 0) return el("section", {}, el("h2", {}, "Fires together with"), el("p", { class: "dim" }, "No other feature fires with it more often than by chance."));
  const header = ["feature", "texts", "phi", "lift", "Jaccard", "NPMI"];
  const row = (pair) => el("tr", {}, el("td", {}, featureLink(run, pair.partner), run.rate_pct[pair.partner] >= DENSE_PCT ? el("span", { class: "dim" }, " dense") : null), [count(pair.rows), share(pair.phi), digits(pair.lift, 3), share(pair.jaccard), share(pair.npmi)].map((text) => el("td", { class: "number" }, text)));
  return el("section", {}, el("h2", {}, "Fires together with"), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Features that fire together with it" }, el("table", { class: "plain pairs" },
    el("thead", {}, el("tr", {}, header.map((name, i) => el("th", { class: i > 0 ? "number" : null }, name)))), el("tbody", {}, pairs.map(row)))),
  button("Copy", () => copy(toTsv([header, ...pairs.map((pair) => [pair.partner, pair.rows, pair.phi, pair.lift, pair.jaccard, pair.npmi])]), "Pairs"), { class: "small" }));
}

function directionsOf(run, feature) {
  if (run.neighbours === null) return null;
  const all = run.neighbours.of(feature), near = all.filter((item) => item.kind !== "opposite"), far = all.filter((item) => item.kind === "opposite");
  return [directionTable(run, near, "Nearest decoder directions", `By chance: among as many random directions the nearest has a cosine above ${share(run.neighbours.chance)} in one case of twenty. Smaller ones are grey.`),
    directionTable(run, far, "Most opposite decoder directions", `What they add, this feature takes away. By chance the most opposite one has a cosine below −${share(run.neighbours.chance)} in one case of twenty.`)];
}

function directionTable(run, near, title, note) {
  if (near.length === 0) return null;
  const header = ["feature", "cosine", "texts", "phi", "kind"];
  const row = (item) => el("tr", {}, el("td", {}, featureLink(run, item.feature)), el("td", { class: Math.abs(item.cosine) > run.neighbours.chance ? "number" : "number dim" }, share(item.cosine)), el("td", { class: "number" }, count(item.rows)),
    el("td", { class: "number" }, share(item.phi)), el("td", {}, item.kind));
  return el("section", {}, el("h2", {}, title), el("p", { class: "dim" }, note),
    el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, el("table", { class: "plain neighbours" }, el("thead", {}, el("tr", {}, header.map((name, i) => el("th", { class: i > 0 && i < 4 ? "number" : null }, name)))), el("tbody", {}, near.map(row)))),
    button("Copy", () => copy(toTsv([header, ...near.map((item) => [item.feature, item.cosine, item.rows, item.phi, item.kind])]), title), { class: "small" }));
}

function familyOf(run, feature) {
  if (run.parents === null) return null;
  const parent = run.parents[feature], children = childrenOf(run, feature);
  if (parent < 0 && children.length === 0) return null;
  return el("section", {}, el("h2", {}, "Family"), el("dl", { class: "facts family" },
    parent < 0 ? null : [el("dt", {}, "Part of"), el("dd", {}, featureLink(run, parent))],
    children.length === 0 ? null : [el("dt", {}, plural(children.length, "part")), el("dd", { class: "links" }, children.map((child) => featureLink(run, child)))]));
}

// ---- the page ----

function neighbours(run, feature, query) {
  const list = selectFeatures(run, query);
  const at = list.indexOf(feature);
  const step = (by) => (at < 0 || at + by < 0 || at + by >= list.length ? null : list[at + by]);
  return { before: step(-1), after: step(1), at, n: list.length };
}

export function featurePage(run, where) {
  const feature = Number(where.path[1]);
  if (!/^\d{1,10}$/.test(where.path[1] || "") || feature >= run.n) {
    return el("div", { class: "page" }, el("h1", {}, "No such feature"), el("p", {}, `This SAE has features 0 to ${count(run.n - 1)}.`), el("a", { href: hash("features") }, "All features"));
  }
  const query = where.query, near = neighbours(run, feature, query);
  const link = (f, text, key) => (f === null ? el("span", { class: "dim" }, text) : el("a", { href: hash(`feature/${f}`, query), "data-key": key }, text));
  const back = new URLSearchParams(query);
  back.delete("texts");
  const label = labelOf(run, feature);
  const strength = histogramOf(run, feature);
  const page = el("div", { class: "page" },
    el("nav", { class: "along", "aria-label": "Features of the list" }, el("a", { href: hash("features", back), "data-key": "back" }, near.at < 0 ? "All features" : `${count(near.at + 1)} of ${count(near.n)} in the list`), link(near.before, "← previous", "p"), link(near.after, "next →", "n")),
    el("p", { class: "dim eyebrow" }, `Feature ${feature}`),
    el("h1", {}, label || `Feature ${feature}`), verdict(run, feature),
    numbers(run, feature), strength === null ? null : strength.section, texts(run, feature, query), familyOf(run, feature), pairsOf(run, feature), directionsOf(run, feature), run.map === null ? null : el("p", {}, el("a", { href: hash("map", { feature }) }, "It and its texts on the map")), command(`saescope show RUN ${feature}`));
  if (strength !== null) pointAtTexts(page, strength.chart);
  return page;
}

export function isFeature(run, text) {
  return /^\d{1,10}$/.test(text) && Number(text) < run.n;
}
