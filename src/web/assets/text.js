// A text that is typed or pasted → its features, from the program that serves this page. Two texts are compared.
import { el } from "./dom.js";
import { count, digits, plural, share } from "./numbers.js";
import { labelOf } from "./data.js";
import { amend, hash } from "./route.js";
import { activeTable, copyActive, nearestTexts } from "./active.js";
import { influenceSection } from "./influence.js";

const PAUSE_MS = 300;
const TOP = 256;
const NEAR = 5;
const LINK_CHARS = 20000; // longer texts do not go into the address

function cutWarning(answer, text) {
  if (!answer.is_cut) return null;
  const rest = [...text].slice(answer.n_characters_read).join("");
  return el("div", { class: "warning" }, el("p", {}, el("strong", {}, "Cut: "), `the encoder takes ${count(answer.max_tokens)} tokens and read ${count(answer.n_characters_read)} of ${plural(answer.n_characters, "character")}.`),
    el("details", {}, el("summary", {}, "What was not read"), el("p", { class: "text dim", dir: "auto" }, rest)));
}

// Outside of where 98 of 100 texts of the run lie.
function unusualWarning(answer, usual) {
  const fit = answer.reconstruction;
  const parts = [];
  if (fit !== null && fit.usual_low !== null && (fit.cosine < fit.usual_low || fit.cosine > fit.usual_high)) {
    parts.push(`the SAE gives its embedding back with a cosine of ${share(fit.cosine)}, and those of the run's texts with ${share(fit.usual_low)} to ${share(fit.usual_high)}`);
  }
  if (usual.usual_low !== null && (answer.n_active < usual.usual_low || answer.n_active > usual.usual_high)) {
    parts.push(`${plural(answer.n_active, "feature")} fire in it, and ${digits(usual.usual_low, 3)} to ${digits(usual.usual_high, 3)} in the run's texts`);
  }
  return parts.length === 0 ? null : el("p", { class: "warning" }, el("strong", {}, "Unlike the run's texts: "), `${parts.join("; ")} (98 of 100 of them).`);
}

function textFacts(answer) {
  const fit = answer.reconstruction;
  return `${plural(answer.n_active, "feature")} from ${plural(answer.n_tokens, "token")}${fit === null ? "" : `; reconstruction cosine ${share(fit.cosine)}${fit.usual_low === null ? "" : `, usually ${share(fit.usual_low)} to ${share(fit.usual_high)}`}`}`;
}

function common(run, [a, b]) {
  const other = new Map(b.features.map((item) => [item.feature, item.activation]));
  const shared = a.features.filter((item) => other.has(item.feature));
  const list = (title, items) => el("p", {}, el("b", {}, `${title} (${count(items.length)}) `), items.slice(0, 12).map((item, i) => [i > 0 ? ", " : "", el("a", { href: hash(`feature/${item.feature}`) }, `${item.feature} ${labelOf(run, item.feature)}`.trim())]), items.length > 12 ? " …" : "");
  const inA = new Set(a.features.map((item) => item.feature));
  return el("section", { class: "common" }, el("h2", {}, "Both texts"), list("In both", shared), list("Only in A", a.features.filter((item) => !other.has(item.feature))), list("Only in B", b.features.filter((item) => !inA.has(item.feature))));
}

function answerOf(run, answer, text, i, both, usual, measure) {
  const other = both === null ? null : new Map(both[1 - i].features.map((item) => [item.feature, item.activation]));
  return el("section", {}, el("h2", {}, both === null ? "Features" : `Features of text ${"AB"[i]}`), cutWarning(answer, text), unusualWarning(answer, usual), el("p", { class: "found" }, textFacts(answer)),
    activeTable(run, answer.features, other, { title: "influence", run: (feature) => measure(text, feature) }), el("p", { class: "links" }, copyActive(run, answer.features),
      [...text].length <= LINK_CHARS ? el("a", { href: hash("steer", { text }) }, "Steer this text") : null),
    answer.nearest.length === 0 ? null : el("details", {}, el("summary", {}, "Nearest texts of the run"), nearestTexts(answer.nearest)));
}

export function textPage(run, where) {
  if (!run.ask) {
    return el("div", { class: "page" }, el("h1", {}, "Try a text"), el("p", {}, "A text of your own needs the encoder: saescope view RUN shows these pages with it."));
  }
  const found = el("p", { class: "found", role: "status" });
  const place = el("div", {}), influences = el("div", {});
  let timer = 0, request = null, section = null;
  const closeInfluence = () => { if (section) section.stop(); section = null; influences.replaceChildren(); };
  const measure = (text, feature) => {
    closeInfluence();
    section = influenceSection(run, text, feature);
    influences.replaceChildren(section);
    section.scrollIntoView({ block: "nearest" });
  };
  const areas = ["a", "b"].map((name, i) => {
    const area = el("textarea", { rows: 5, "aria-label": i === 0 ? "Text" : "Another text to compare it with", id: i === 0 ? "search" : null, placeholder: i === 0 ? "Text" : "Another text to compare it with",
      on: { input: () => { clearTimeout(timer); timer = setTimeout(send, PAUSE_MS); } } });
    area.value = where.query.get(name) || "";
    return area;
  });
  const remember = () => amend("text", Object.fromEntries(areas.map((area, i) => ["ab"[i], [...area.value].length <= LINK_CHARS ? area.value : ""])));
  async function send() {
    const texts = areas.map((area) => area.value).filter((text) => text.trim() !== "");
    if (request) request.abort();
    const own = request = new AbortController();
    closeInfluence();
    remember();
    document.body.dataset.ready = location.hash;
    if (texts.length === 0) { place.replaceChildren(); found.textContent = ""; return; }
    found.textContent = "…";
    try {
      const answer = await run.ask("encode", { texts, top: TOP, near: NEAR }, own.signal);
      if (own !== request) return;
      found.textContent = "";
      const both = answer.texts.length < 2 ? null : answer.texts;
      place.replaceChildren(...(both === null ? [] : [common(run, both)]), ...answer.texts.map((item, i) => answerOf(run, item, texts[i], i, both, answer.usual_active, measure)));
    } catch (error) {
      if (error.name !== "AbortError") { place.replaceChildren(); found.textContent = error.message; }
    }
  }
  const page = el("div", { class: "page" }, el("h1", {}, "Try a text"), el("p", { class: "dim" }, "Its features, as the run's encoder and SAE find them. The text stays on this machine."), areas, found, influences, place);
  if (areas.some((area) => area.value.trim() !== "")) page.ready = send();
  return page;
}
