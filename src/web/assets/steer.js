// Steering: features of a row or of a typed text made weaker or stronger, and which texts of the run are near then.
import { button, copy, el, toTsv } from "./dom.js";
import { activation, count, digits, plural, share } from "./numbers.js";
import { labelOf } from "./data.js";
import { amend, hash } from "./route.js";
import { isFeature } from "./feature.js";
import { shortText } from "./active.js";

const WAIT_MS = 120;
const SLIDERS = 8; // of the strongest features, at first
const STEPS = 40; // of a slider, from 0 to twice the largest activation
const LESS = 1 - 1e-9; // else the last of the steps may be a rounding beyond the end, and out of reach
const LIMIT = 10;

// "3:1.5,9:0" as a map from features to activations, within what may be asked for.
function readChanges(run, text) {
  const changes = new Map();
  for (const part of (text || "").split(",")) {
    const found = /^(\d{1,10}):([0-9.eE+-]+)$/.exec(part);
    if (found && isFeature(run, found[1]) && Number(found[2]) >= 0) changes.set(Number(found[1]), Math.min(Number(found[2]), mostOf(run, Number(found[1]))));
  }
  return changes;
}

const writeChanges = (changes) => [...changes].map(([feature, value]) => `${feature}:${value}`).join(",");
const mostOf = (run, feature) => 2 * run.max_activation[feature];

function moveOf(before, after) {
  if (before === after) return el("span", { class: "dim" }, "=");
  return el("span", { class: after < before ? "up" : "down" }, `${after < before ? "▲" : "▼"} ${count(Math.abs(after - before))}`);
}

function steerList(title, items, other, about) {
  return el("section", {}, el("h2", {}, title), el("p", { class: "dim" }, about), el("ol", { class: "texts steered" }, items.map((item, i) => el("li", { class: "item", "data-row": item.row },
    el("div", { class: "meta" }, el("span", { class: "value" }, `${i + 1}.`), el("span", {}, share(item.cosine)), other === "before" ? moveOf(item.rank_before, i + 1) : moveOf(i + 1, item.rank_after),
      el("span", { class: "dim" }, `${other === "before" ? "was" : "then"} ${count(item[`rank_${other}`])}`), el("a", { href: hash(`row/${item.row}`) }, `row ${item.row}`)), shortText(item.text)))));
}

function drawSteered(answer, place) {
  const { cosine, error } = answer.reconstruction;
  const rows = (key, other) => answer[key].map((item, i) => [key, i + 1, item.row, item.cosine, item[`rank_${other}`], item.text]);
  place.replaceChildren(el("p", { class: "found" }, `The SAE gives this embedding back with a cosine of ${share(cosine)}`, error === null ? "" : `; ${digits(100 * error, 3)} % of it, as a square, is lost`, `. Steering turned it by a cosine of ${answer.moved_cosine.toFixed(4)}. `,
    button("Copy both lists", () => copy(toTsv([["list", "rank", "row", "cosine", "rank in the other", "text"], ...rows("before", "after"), ...rows("after", "before")]), "Lists"), { class: "small" })),
  el("div", { class: "pair" }, steerList("Nearest before", answer.before, "after", "And where they are after steering."), steerList("Nearest after", answer.after, "before", `And where they were, of ${plural(answer.n_texts, "text")}.`)));
}

function slider(run, feature, before, changes, changed) {
  const largest = run.max_activation[feature], most = mostOf(run, feature);
  const shown = el("output", {}), value = changes.has(feature) ? changes.get(feature) : before;
  const input = el("input", { type: "range", min: 0, max: most, step: most / STEPS * LESS || 1, value, disabled: most === 0, "aria-label": `Activation of feature ${feature} ${labelOf(run, feature)}`, "data-feature": feature });
  const say = (x) => {
    shown.textContent = most === 0 ? "never fires" : `${activation(x)} (${digits(x / largest, 3)}×)`;
    input.setAttribute("aria-valuetext", `${activation(x)}, ${digits(x / largest, 3)} times its largest`);
  };
  say(value);
  input.addEventListener("input", () => { changes.set(feature, Number(input.value)); say(Number(input.value)); changed(); });
  return el("div", { class: "slider" }, el("span", { class: "name" }, el("a", { href: hash(`feature/${feature}`) }, String(feature)), ` ${labelOf(run, feature)}`), input, shown,
    button("0", () => { input.value = 0; input.dispatchEvent(new Event("input")); }, { class: "small", "aria-label": `Switch feature ${feature} off` }),
    button("↺", () => { changes.delete(feature); input.value = before; say(before); changed(); }, { class: "small", "aria-label": `Feature ${feature} as it was` }));
}

export function steerPage(run, where) {
  const query = where.query;
  const page = el("div", { class: "page wide" }, el("h1", {}, "Steer"));
  if (!run.ask) {
    page.append(el("p", {}, "Steering needs the SAE: saescope view RUN shows these pages with it."));
    return page;
  }
  const changes = readChanges(run, query.get("set")), before = new Map();
  const said = el("p", { class: "found", role: "status" }), place = el("div", {}), sliders = el("div", { class: "sliders" }), subject = el("div", {});
  let timer = 0, request = null;
  const state = () => ({ row: query.get("row"), text: query.get("text"), set: writeChanges(changes), error: keep.checked ? "kept" : "" });
  const keep = el("input", { type: "checkbox", checked: query.get("error") === "kept", on: { change: () => changed() } });
  const what = () => (/^\d{1,10}$/.test(query.get("row") || "") ? { row: Number(query.get("row")) } : { text: query.get("text") || "" });

  async function steer() {
    if (request) request.abort();
    const own = request = new AbortController();
    amend("steer", state());
    document.body.dataset.ready = location.hash;
    try {
      const asked = [...changes].map(([feature, value]) => ({ feature, activation: value }));
      const answer = await run.ask("steer", { ...what(), changes: asked, keep_error: keep.checked, limit: LIMIT }, own.signal);
      if (own !== request) return null;
      said.textContent = "";
      drawSteered(answer, place);
      return answer;
    } catch (error) {
      if (error.name !== "AbortError") { place.replaceChildren(); said.textContent = error.message; }
      return null;
    }
  }
  function changed() {
    clearTimeout(timer);
    timer = setTimeout(steer, WAIT_MS);
  }
  const add = (feature) => {
    if (sliders.querySelector(`[data-feature="${feature}"]`)) return;
    sliders.append(slider(run, feature, before.get(feature) || 0, changes, changed));
  };
  const other = el("form", { class: "filters", on: { submit: (event) => { event.preventDefault(); const input = event.target.querySelector("input"); if (isFeature(run, input.value.trim())) { add(Number(input.value)); input.value = ""; } } } },
    el("label", { class: "range" }, "Another feature ", el("input", { type: "text", inputmode: "numeric", size: 8 })), el("button", { class: "small" }, "Add"),
    button("All as they were", () => { changes.clear(); const shown = [...sliders.querySelectorAll("input")].map((input) => Number(input.dataset.feature)); sliders.replaceChildren(); shown.forEach(add); changed(); }, { class: "small" }),
    el("label", {}, keep, " keep what the SAE does not give back"));

  async function begin() {
    const answer = await steer();
    if (answer === null) return;
    answer.features.forEach((item) => before.set(item.feature, item.activation));
    [...new Set([...changes.keys(), ...answer.features.slice(0, SLIDERS).map((item) => item.feature)])].forEach(add);
    const asked = what();
    const own = asked.row === undefined ? asked.text : (await run.get(`rows/${asked.row}?near=0`)).text;
    subject.replaceChildren(el("p", { class: "dim" }, asked.row === undefined ? "A typed text" : el("a", { href: hash(`row/${asked.row}`) }, `Row ${asked.row}`)), shortText(own));
  }
  const start = el("form", { class: "filters", on: { submit: (event) => {
    event.preventDefault();
    const value = event.target.querySelector("textarea").value.trim();
    if (value !== "") { location.hash = /^\d{1,10}$/.test(value) ? hash("steer", { row: value }) : hash("steer", { text: value }); }
  } } }, el("textarea", { rows: 2, id: "search", "aria-label": "A row's number, or a text", placeholder: "a row's number, or a text" }), el("button", { class: "small" }, "Steer it"));
  page.append(el("p", { class: "dim" }, "Activations of a text are changed, the SAE's decoder makes an embedding of them again, and the run's texts are ordered by how near they are to it."), start, subject, sliders, other, said, place);
  if (query.get("row") || query.get("text")) page.ready = begin();
  else other.hidden = true;
  return page;
}
