// A row of the dataset that the run kept: its text, columns, features, and the texts that are nearest to it.
import { command, copy, el, button } from "./dom.js";
import { count, plural } from "./numbers.js";
import { featuresOfTexts } from "./data.js";
import { go, hash } from "./route.js";
import { keptCells } from "./feature.js";
import { activeTable, copyActive, nearestTexts } from "./active.js";
import { influenceSection } from "./influence.js";

const isRow = (text) => /^\d{1,10}$/.test(text || "");

// In a file there are the texts of features' lists alone.
async function rowOfFile(run, row) {
  const text = run.texts.rows.findIndex((one) => Number(one) === row);
  if (text < 0) throw new Error("This file has no text of this row: it has those that pages of features show.");
  const features = (featuresOfTexts(run).get(text) || []).map(({ feature, value }) => ({ feature, activation: value })).sort((a, b) => b.activation - a.activation || a.feature - b.feature);
  let kept = null;
  try { kept = run.texts.kept && run.texts.kept[text] ? JSON.parse(run.texts.kept[text]) : null; } catch { /* shown without */ }
  return { row, file: run.texts.files === null ? "" : run.texts.files[text], text: (await run.text(text)) || "", n_rows: run.texts.counts[text], kept: kept && kept.kept ? kept.kept : kept, features, n_active: features.length, nearest: null, previous_row: null, next_row: null };
}

function drawRow(run, answer, influences) {
  const link = (row, text, key) => (row === null ? el("span", { class: "dim" }, text) : el("a", { href: hash(`row/${row}`), "data-key": key }, text));
  const measure = run.ask === null ? null : { title: "influence", run: (feature) => {
    if (influences.firstChild) influences.firstChild.stop();
    influences.replaceChildren(influenceSection(run, answer.text, feature));
    influences.firstChild.scrollIntoView({ block: "nearest" });
  } };
  return [answer.nearest === null ? null : el("nav", { class: "along", "aria-label": "Rows that the run kept" }, link(answer.previous_row, "← previous", "p"), link(answer.next_row, "next →", "n")),
    el("p", { class: "dim" }, [answer.file, answer.n_rows > 1 ? `${count(answer.n_rows)} rows have this text` : ""].filter((part) => part !== "").join(" · ")),
    keptCells(answer.kept), el("p", { class: "text whole", dir: "auto" }, answer.text),
    el("p", { class: "links" }, button("Copy the text", () => copy(answer.text, "Text"), { class: "small" }), run.ask ? el("a", { href: hash(`steer`, { row: answer.row }) }, "Steer it") : null),
    el("h2", {}, answer.nearest === null ? "Features in whose lists it stands" : "Features"), el("p", { class: "found" }, answer.nearest === null ? plural(answer.n_active, "feature") : `${plural(answer.n_active, "feature")} fire in it`),
    activeTable(run, answer.features, null, measure), copyActive(run, answer.features), influences,
    answer.nearest === null ? el("p", { class: "dim" }, "All of its features and the texts nearest to it: saescope view RUN.")
      : el("section", {}, el("h2", {}, "Nearest texts"), el("p", { class: "dim" }, "By the cosine of their embeddings with this one's, of the texts that the run kept."), nearestTexts(answer.nearest)),
    command(`saescope search RUN ${quoted([...answer.text].slice(0, 80).join(""))} --meaning`)];
}

// As a word of a shell.
function quoted(text) {
  return `'${text.replace(/\s+/g, " ").replace(/'/g, "'\\''")}'`;
}

export function rowPage(run, where) {
  const place = el("div", {}), influences = el("div", {}), said = el("p", { class: "found", role: "status" });
  const given = where.path[1];
  const jump = el("form", { class: "filters", on: { submit: (event) => { event.preventDefault(); const row = event.target.querySelector("input").value.trim(); if (isRow(row)) go(hash(`row/${Number(row)}`)); else said.textContent = "A row is a whole number, the first one 0."; } } },
    el("label", { class: "range" }, "Row ", el("input", { type: "text", inputmode: "numeric", id: "search", size: 10, value: isRow(given) ? given : null })), el("button", { class: "small" }, "Open"));
  const page = el("div", { class: "page" }, el("h1", {}, isRow(given) ? `Row ${count(Number(given))}` : "A row"), jump, said, place);
  if (!isRow(given)) {
    said.textContent = given ? "A row is a whole number, the first one 0." : "The number of a row in the dataset, the first one 0. The run keeps a sample of distinct texts, and those of its features.";
    return page;
  }
  const find = run.get ? run.get(`rows/${Number(given)}`) : rowOfFile(run, Number(given));
  page.ready = find.then((answer) => place.replaceChildren(...drawRow(run, answer, influences).filter((part) => part !== null)), (error) => { said.textContent = error.message; });
  return page;
}
