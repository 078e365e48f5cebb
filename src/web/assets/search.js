// Texts that hold words, and the features in whose lists they stand.
import { button, copy, el, toTsv } from "./dom.js";
import { activation, count, plural } from "./numbers.js";
import { featuresOfTexts, labelOf } from "./data.js";
import { amend, hash } from "./route.js";
import { markPattern, marked } from "./feature.js";
import { words } from "./select.js";

const MOST_SHOWN = 100;
const MOST_FEATURES = 6;
const SNIPPET = 400;

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

async function result(run, text, pattern) {
  const whole = await run.text(text);
  const features = (featuresOfTexts(run).get(text) || []).sort((a, b) => b.value - a.value);
  return el("li", { class: "item" }, el("p", { class: "text", dir: "auto" }, marked([...whole].slice(0, SNIPPET).join(""), pattern)),
    el("p", { class: "links" }, features.slice(0, MOST_FEATURES).map(({ feature, value }) =>
      el("a", { href: hash(`feature/${feature}`) }, `${feature} ${labelOf(run, feature)} (${activation(value)})`)),
    features.length > MOST_FEATURES ? ` and ${plural(features.length - MOST_FEATURES, "other")}` : null));
}

export function textsPage(run, where) {
  if (!run.meta.shown.texts) {
    return el("div", { class: "page" }, el("h1", {}, "Texts"), el("p", {}, "The texts were left out of this file (--no-texts)."));
  }
  const found = el("p", { class: "found", role: "status" });
  const place = el("ol", { class: "texts" });
  let latest = 0;
  const search = async (query) => {
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
    on: { input: (event) => { amend("texts", { q: event.target.value }); search(event.target.value); } } });
  const page = el("div", { class: "page" }, el("h1", {}, "Texts"), el("div", { class: "filters" }, input), found, place);
  page.ready = search(where.query.get("q"));
  return page;
}
