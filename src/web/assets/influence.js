// Measured influence: how a feature's activation changes when a sentence, or a word, is left out and the rest is embedded again.
import { button, copy, el, say, toTsv } from "./dom.js";
import { activation, count, plural } from "./numbers.js";
import { labelOf } from "./data.js";
import { hash } from "./route.js";

// All parts of a text, asked for slice by slice, so that it can be stopped and says how far it is.
async function measureParts(run, question, progress, signal) {
  const parts = [];
  let from = 0, activations = null;
  while (from !== null) {
    const answer = await run.ask("influence", { ...question, from }, signal);
    parts.push(...answer.parts);
    activations = answer.activations;
    from = answer.next;
    progress(parts.length, answer.n_parts);
  }
  return { whole: activations[0], parts: parts.map((part) => ({ ...part, influence: activations[0] - part.without[0] })) };
}

// A part raises the activation (filled bar below it) or lowers it (dashed), and its number says by how much.
function influencePart(characters, part, most, open) {
  const text = characters.slice(part.start, part.end).join("");
  const strength = most > 0 ? Math.min(1, Math.abs(part.influence) / most) : 0;
  const note = `${part.influence >= 0 ? "+" : "−"}${activation(Math.abs(part.influence))}`;
  const attributes = { class: part.influence >= 0 ? "raises" : "lowers", title: note, "data-influence": part.influence };
  const piece = open === null ? el("span", attributes, text) : button(text, () => open(part), { ...attributes, class: `${attributes.class} piece`, "aria-label": `${text.trim()}: ${note}; measure its words` });
  piece.style.setProperty("--strength", strength.toFixed(3));
  return piece;
}

function partsTable(characters, found, title) {
  const rows = found.parts.map((part) => [characters.slice(part.start, part.end).join("").trim(), part.without[0], part.influence]);
  const table = el("table", { class: "plain" }, el("thead", {}, el("tr", {}, el("th", {}, title), el("th", { class: "number" }, "without it"), el("th", { class: "number" }, "influence"))),
    el("tbody", {}, rows.map(([text, without, influence]) => el("tr", {}, el("td", {}, text), el("td", { class: "number" }, activation(without)), el("td", { class: "number" }, activation(influence))))));
  return el("details", {}, el("summary", {}, `Numbers of ${plural(rows.length, title)}`), el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": `Influence of each ${title}` }, table),
    button("Copy", () => copy(toTsv([[title, "without", "influence"], ...rows]), "Influences"), { class: "small" }));
}

function drawParts(characters, found, title, open) {
  const most = Math.max(0, ...found.parts.map((part) => Math.abs(part.influence)));
  const sum = found.parts.reduce((total, part) => total + part.influence, 0);
  return [el("p", { class: "text influence", dir: "auto" }, found.parts.map((part) => influencePart(characters, part, most, open))),
    el("p", { class: "dim" }, `Activation ${activation(found.whole)} in the whole text; ${title === "sentence" ? "sentences" : "words"} change it by ${activation(sum)} together, one left out at a time.`),
    partsTable(characters, found, title)];
}

// A section that measures a text's sentences for one feature, and the words of the one that matters most.
export function influenceSection(run, text, feature) {
  const characters = [...text];
  const said = el("p", { class: "found", role: "status" }), bar = el("progress", { max: 1, value: 0, "aria-label": "Measured so far" });
  const sentences = el("div", {}), words = el("div", {});
  let request = null;
  const stop = button("Stop", () => request.abort(), { class: "small" });
  async function measure(question, place, title, open) {
    if (request) request.abort();
    const own = request = new AbortController();
    const progress = (n, all) => { bar.max = Math.max(1, all); bar.value = n; said.textContent = `${count(n)} of ${plural(all, title)} measured`; };
    bar.hidden = stop.hidden = false;
    progress(0, 1);
    said.textContent = "Measuring …";
    try {
      const found = await measureParts(run, { text, features: [feature], ...question }, progress, own.signal);
      if (own !== request) return null;
      place.replaceChildren(...drawParts(characters, found, title, open));
      say(`Influence of ${plural(found.parts.length, title)} measured`);
      return found;
    } catch (error) {
      if (own === request) said.textContent = error.name === "AbortError" ? "Stopped." : error.message;
      return null;
    } finally {
      if (own === request) bar.hidden = stop.hidden = true;
    }
  }
  const openSentence = async (found, part) => {
    const sentence = found.parts.indexOf(part);
    words.replaceChildren();
    const title = el("h3", {}, `Words of sentence ${sentence + 1}`), place = el("div", {});
    if (await measure({ unit: "word", sentence }, place, "word", null)) words.replaceChildren(title, place);
  };
  const ready = (async () => {
    let found = null;
    found = await measure({ unit: "sentence" }, sentences, "sentence", (part) => openSentence(found, part));
    if (found === null || found.parts.length === 0) return;
    await openSentence(found, found.parts.reduce((best, part) => (Math.abs(part.influence) > Math.abs(best.influence) ? part : best)));
  })();
  const section = el("section", { class: "influences" }, el("h2", {}, "What the activation rests on"),
    el("p", {}, el("a", { href: hash(`feature/${feature}`) }, `Feature ${feature} ${labelOf(run, feature)}`.trim()), ": each sentence is left out in turn and the rest is embedded and encoded again. ",
      el("span", { class: "dim" }, "Filled: the activation falls without it. Dashed: it rises.")),
    el("div", { class: "above" }, said, bar, stop), sentences, words);
  section.stop = () => request && request.abort();
  section.ready = ready;
  return section;
}

