// A text that is typed or pasted → its features, from the program that serves this page. Two texts are compared.
import { button, copy, el, toTsv } from "./dom.js";
import { activation, count, digits, percent, plural } from "./numbers.js";
import { binStart, labelOf } from "./data.js";
import { hash } from "./route.js";

const PAUSE_MS = 300;
const TOP = 256;
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

function featureRow(run, { feature, activation: value }, other) {
  const part = percentileOf(run, feature, value);
  const bar = el("span", { class: "barbox", "aria-hidden": "true" }, el("span", { class: "fill" }));
  bar.firstChild.style.setProperty("width", `${Math.min(100, 100 * value / (run.max_activation[feature] || value))}%`);
  return el("tr", {}, el("td", {}, el("a", { href: hash(`feature/${feature}`) }, String(feature))), el("td", { class: "wide" }, labelOf(run, feature) || el("span", { class: "dim" }, "–")),
    el("td", { class: "number" }, activation(value)), el("td", {}, bar), el("td", { class: "number" }, part === null ? "–" : `${digits(part, 3)} %`),
    el("td", { class: "number" }, percent(run.rate_pct[feature])), other === null ? null : el("td", { class: "number" }, other.has(feature) ? activation(other.get(feature)) : "–"));
}

function answerTable(run, answer, other) {
  const header = ["feature", "label", "activation", "of its largest", "above its other texts", "fires in", ...(other === null ? [] : ["other text"])];
  return el("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": "Features of the text" }, el("table", { class: "plain answer" },
    el("thead", {}, el("tr", {}, header.map((name, i) => el("th", { class: i === 2 || i > 3 ? "number" : null }, name)))),
    el("tbody", {}, answer.features.slice(0, MOST_LISTED).map((item) => featureRow(run, item, other)))));
}

function draw(run, answers, place) {
  place.replaceChildren();
  answers.forEach((answer, i) => {
    const other = answers.length < 2 ? null : new Map(answers[1 - i].features.map((item) => [item.feature, item.activation]));
    const shared = other === null ? 0 : answer.features.filter((item) => other.has(item.feature)).length;
    place.append(el("h2", {}, answers.length < 2 ? "Features" : `Features of text ${"AB"[i]}`), el("p", { class: "found" },
      `${plural(answer.n_active, "feature")} from ${plural(answer.n_tokens, "token")}${other === null ? "" : `; ${plural(shared, "feature")} shared`}`,
      answer.may_be_cut ? el("strong", {}, ` – at the encoder's limit of ${count(answer.max_tokens)} tokens: what follows is not read`) : null),
    answerTable(run, answer, other), button("Copy", () => copy(toTsv([["feature", "label", "activation"], ...answer.features.map((item) => [item.feature, labelOf(run, item.feature), item.activation])]), "Features"), { class: "small" }));
  });
}

export function textPage(run) {
  if (!run.ask) {
    return el("div", { class: "page" }, el("h1", {}, "Try a text"), el("p", {}, "A text of your own needs the encoder: saescope view RUN shows these pages with it."));
  }
  const found = el("p", { class: "found", role: "status" });
  const place = el("div", {});
  let timer = 0, request = null;
  const areas = ["Text", "Another text to compare it with"].map((name, i) => el("textarea", { rows: 5, "aria-label": name, id: i === 0 ? "search" : null, placeholder: name, on: { input: () => {
    clearTimeout(timer);
    timer = setTimeout(send, PAUSE_MS);
  } } }));
  async function send() {
    const texts = areas.map((area) => area.value).filter((text) => text.trim() !== "");
    if (request) request.abort();
    request = new AbortController();
    if (texts.length === 0) { place.replaceChildren(); found.textContent = ""; return; }
    found.textContent = "…";
    try {
      const answer = await run.ask("encode", { texts, top: TOP }, request.signal);
      found.textContent = "";
      draw(run, answer.texts, place);
    } catch (error) {
      if (error.name !== "AbortError") { place.replaceChildren(); found.textContent = error.message; }
    }
  }
  return el("div", { class: "page" }, el("h1", {}, "Try a text"), el("p", { class: "dim" }, "Its features, as the run's encoder and SAE find them. The text stays on this machine."), areas, found, place);
}
