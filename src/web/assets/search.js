// Texts that hold words, and the features in whose lists they stand.
import { button, command, copy, el, toTsv } from "./dom.js";
import { activation, count, plural } from "./numbers.js";
import { featuresOfTexts, labelOf } from "./data.js";
import { amend, hash } from "./route.js";
import { markPattern, marked } from "./feature.js";
import { words } from "./select.js";

const MOST_SHOWN = 100;
const MOST_FEATURES = 6;
const SNIPPET = 400;
const MEANING_PAUSE_MS = 300;

async function find(run, wanted, stillWanted) {
  const found = [];
  for (let i = 0; i < run.texts.n; i++) {
    const text = (await run.text(i)).toLowerCase();
    if (i % 2000 === 1999) {
      await new Promise((resolve) => setTimeout(resolve));
      if (!stillWanted()) return null;
    }
    if (wanted.every((word) => text.includes(word))) found.push(i);
  }
  return found;
}

const foundFeatures = (list) => el("p", { class: "links" }, list.slice(0, MOST_FEATURES).map(([feature, text]) => el("a", { href: hash(`feature/${feature}`) }, text)),
  list.length > MOST_FEATURES ? ` and ${plural(list.length - MOST_FEATURES, "other")}` : null);

// A text that the program found by its meaning.
function meaningResult(run, item) {
  return el("li", { class: "item" }, el("div", { class: "meta" }, el("span", { class: "value" }, item.score.toFixed(3)), el("a", { href: hash(`row/${item.row}`) }, `row ${count(item.row)}`), el("span", { class: "dim" }, item.file)),
    el("p", { class: "text", dir: "auto" }, [...item.text].slice(0, SNIPPET).join("")), foundFeatures(item.features.map(({ feature, activation: value }) => [feature, `${feature} ${labelOf(run, feature)} (${activation(value)})`])));
}

async function result(run, text, pattern) {
  const whole = await run.text(text);
  const features = (featuresOfTexts(run).get(text) || []).sort((a, b) => b.value - a.value);
  const row = run.texts.rows[text];
  return el("li", { class: "item" }, row >= 0 ? el("div", { class: "meta" }, el("a", { href: hash(`row/${row}`) }, `row ${count(row)}`)) : null, el("p", { class: "text", dir: "auto" }, marked([...whole].slice(0, SNIPPET).join(""), pattern)),
    foundFeatures(features.map(({ feature, value }) => [feature, `${feature} ${labelOf(run, feature)} (${activation(value)})`])));
}

export function textsPage(run, where) {
  if (!run.meta.shown.texts) {
    return el("div", { class: "page" }, el("h1", {}, "Texts"), el("p", {}, "The texts were left out of this file (--no-texts)."));
  }
  const found = el("p", { class: "found", role: "status" });
  const place = el("ol", { class: "texts" });
  let latest = 0;
  const by = run.get ? el("select", { "aria-label": "How texts are found", on: { change: () => changed(input.value) } }, [["words", "that hold all words"], ["meaning", "by meaning"]].map(([value, title]) => el("option", { value, selected: (where.query.get("by") || "words") === value }, title))) : null;
  const byMeaning = () => by !== null && by.value === "meaning";
  let timer = 0;
  const changed = (query) => {
    amend("texts", { q: query, by: byMeaning() ? "meaning" : "" });
    clearTimeout(timer);
    if (byMeaning()) timer = setTimeout(() => search(query), MEANING_PAUSE_MS);
    else search(query);
  };
  const searchMeaning = async (query, number) => {
    if (query.trim() === "") { found.textContent = "Texts of the run by what they mean: a few words, or a whole text."; place.replaceChildren(); return; }
    try {
      const answer = await run.get(`search?${new URLSearchParams({ q: query, by: "meaning", limit: MOST_SHOWN })}`);
      if (number !== latest) return;
      found.textContent = `The ${plural(answer.found.length, "nearest text")} of ${count(answer.n_searched)} that the run kept, by the cosine of their embeddings with the query's`;
      place.replaceChildren(...answer.found.map((item) => meaningResult(run, item)));
    } catch (error) {
      if (number === latest) { found.textContent = error.message; place.replaceChildren(); }
    }
  };
  const search = async (query) => {
    if (byMeaning()) { await searchMeaning(query, ++latest); return; }
    const wanted = words(query), number = ++latest;
    if (wanted.length === 0) {
      found.textContent = `${plural(run.texts.n, "text")}: those that pages of features show`;
      place.replaceChildren();
      return;
    }
    const all = await find(run, wanted, () => number === latest);
    if (all === null || number !== latest) return;
    const drawn = await Promise.all(all.slice(0, MOST_SHOWN).map((text) => result(run, text, markPattern("", query))));
    if (number !== latest) return;
    found.replaceChildren(...[`${count(all.length)} of ${plural(run.texts.n, "text")} hold all words${all.length > MOST_SHOWN ? `; the first ${MOST_SHOWN} are shown` : ""} `,
      all.length === 0 ? "" : button("Copy all", async () => copy(toTsv(await Promise.all(all.map(async (i) => [run.texts.rows[i], await run.text(i)]))), "Texts"), { class: "small" })].filter((part) => part));
    place.replaceChildren(...drawn);
  };
  const input = el("input", { type: "search", id: "search", value: where.query.get("q"), placeholder: "words in texts", "aria-label": "Words",
    on: { input: (event) => changed(event.target.value) } });
  const page = el("div", { class: "page" }, el("h1", {}, "Texts"), el("div", { class: "filters" }, input, by), found, place, command("saescope search RUN \"words\""));
  page.ready = search(where.query.get("q") || "");
  return page;
}
