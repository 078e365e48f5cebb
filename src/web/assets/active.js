// The features of a text with what they are like in the run: a table, for a typed text, a row and a steered one.
import { button, copy, el, toTsv } from "./dom.js";
import { activation, digits, percent } from "./numbers.js";
import { binStart, labelOf } from "./data.js";
import { hash } from "./route.js";

const MOST_LISTED = 64;

// Which share of the feature's own activations is smaller, within one bin of the histogram.
export function percentileOf(run, feature, value) {
  if (run.histograms === null) return null;
  const { offsets, bins, counts } = run.histograms;
  let below = 0, all = 0;
  for (let i = offsets[feature]; i < offsets[feature + 1]; i++) {
    all += counts[i];
    if (binStart(bins[i] + 1) <= value) below += counts[i];
    else if (binStart(bins[i]) <= value) below += counts[i] / 2;
  }
  return all === 0 ? null : 100 * below / all;
}

function featureRow(run, { feature, activation: value }, other, act) {
  const part = percentileOf(run, feature, value), largest = run.max_activation[feature];
  const bar = el("span", { class: "barbox", "aria-hidden": "true" }, el("span", { class: "fill" }));
  bar.firstChild.style.setProperty("width", `${Math.min(100, 100 * value / (largest || value))}%`);
  return el("tr", {}, el("td", {}, el("a", { href: hash(`feature/${feature}`) }, String(feature))), el("td", { class: "wide" }, labelOf(run, feature) || el("span", { class: "dim" }, "–")),
    el("td", { class: "number" }, activation(value)), el("td", { title: `the largest is ${activation(largest)}` }, bar),
    el("td", { class: "number" }, value > largest ? "above all" : part === null ? "–" : `${digits(part, 3)} %`),
    el("td", { class: "number" }, percent(run.rate_pct[feature])), other === null ? null : el("td", { class: "number" }, other.has(feature) ? activation(other.get(feature)) : "–"),
    act === null ? null : el("td", {}, button(act.title, () => act.run(feature), { class: "small", "aria-label": `${act.title}: feature ${feature}` })));
}

// `other` is null or a map from features to activations of a text to compare with; `act` null or {title, run}, a button in each row.
export function activeTable(run, features, other, act) {
  const header = ["feature", "label", "activation", "of its largest", "above its other texts", "fires in", ...(other === null ? [] : ["other text"]), ...(act === null ? [] : [""])];
  return el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Features of the text" }, el("table", { class: "plain answer" },
    el("thead", {}, el("tr", {}, header.map((name, i) => el(name === "" ? "td" : "th", { class: i === 2 || (i > 3 && name !== "") ? "number" : null }, name)))),
    el("tbody", {}, features.slice(0, MOST_LISTED).map((item) => featureRow(run, item, other, act)))));
}

export function copyActive(run, features) {
  return button("Copy", () => copy(toTsv([["feature", "label", "activation"], ...features.map((item) => [item.feature, labelOf(run, item.feature), item.activation])]), "Features"), { class: "small" });
}

// Texts of the run near another one: [{row, file, text, cosine, n_shared}].
export function nearestTexts(nearest) {
  return el("ol", { class: "texts" }, nearest.map((item) => el("li", { class: "item" },
    el("div", { class: "meta" }, el("span", { class: "value" }, item.cosine.toFixed(3)), el("a", { href: hash(`row/${item.row}`) }, `row ${item.row}`),
      el("span", { class: "dim" }, [item.file, item.n_shared === undefined ? "" : `${item.n_shared} of its features`].filter((part) => part !== "").join(" · "))),
    shortText(item.text))));
}

const SHORT_CHARS = 300;
export function shortText(text) {
  const characters = [...text], body = el("p", { class: "text", dir: "auto" });
  const draw = (all) => body.replaceChildren(all ? text : characters.slice(0, SHORT_CHARS).join(""),
    ...(all || characters.length <= SHORT_CHARS ? [] : ["… ", button("more", () => draw(true), { class: "small" })]));
  draw(false);
  return body;
}
