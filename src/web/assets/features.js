// The table of features: words, ranges, order; what is chosen goes into files.
import { button, command, copy, download, el, toTsv } from "./dom.js";
import { activation, count, percent, plural, share, wilson } from "./numbers.js";
import { chartWidth, densityChart } from "./chart.js";
import { virtualList } from "./list.js";
import { amend, go, hash, readRange, writeRange } from "./route.js";
import { SHOWS, selectFeatures } from "./select.js";
import { labelOf, statusOf } from "./data.js";

const LIST_COLUMNS = [
  { name: "feature", title: "id", class: "id" }, { name: null, title: "label", class: "label" }, { name: "score", title: "score", class: "number score", falls: true },
  { name: "rate", title: "rate", class: "number rate", falls: true }, { name: "fires", title: "fires", class: "number fires", falls: true },
  { name: "max", title: "max", class: "number max", falls: true }, { name: "mean", title: "mean", class: "number mean", falls: true },
];

// ---- files ----

export function exportRows(run, features) {
  const rows = run.meta.rows.used;
  return Array.from(features, (f) => {
    const [low, high] = wilson(run.n_fires[f], rows);
    const item = { feature: f, n_fires: run.n_fires[f], rate_pct: run.rate_pct[f], rate_low_pct: low, rate_high_pct: high,
      max_activation: run.max_activation[f], mean_activation: run.mean_activation[f], dead: run.n_fires[f] === 0 };
    if (run.labels !== null) {
      Object.assign(item, { label: run.labels[f], label_status: statusOf(run, f),
        score: Number.isNaN(run.label_auc[f]) ? null : run.label_auc[f], keywords: run.keywords[f] });
    }
    return item;
  });
}

function csvCell(value) {
  const text = value === null ? "" : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

export const FILES = {
  csv: ["text/csv", (rows) => `${[Object.keys(rows[0] || { feature: 0 }), ...rows.map(Object.values)].map((row) => row.map(csvCell).join(",")).join("\r\n")}\r\n`],
  json: ["application/json", (rows) => `${JSON.stringify(rows, null, 2)}\n`],
  jsonl: ["application/jsonl", (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("")],
};

export function exportText(kind, rows) {
  return FILES[kind][1](rows);
}

function exports(run, chosen) {
  return el("span", { class: "buttons" }, Object.keys(FILES).map((kind) => button(kind.toUpperCase(), () =>
    download(`features.${kind}`, FILES[kind][0], exportText(kind, exportRows(run, chosen()))), { class: "small" })),
  button("Copy", () => copy(toTsv([["feature", "label", "rate %", "fires"], ...Array.from(chosen(), (f) => [f, labelOf(run, f), run.rate_pct[f], run.n_fires[f]])]), "Table"), { class: "small" }),
  button("Copy ids", () => copy(`${Array.from(chosen()).join(" ")}\n`, "Ids"), { class: "small" }));
}

// ---- the table ----

// The command that prints the same; null where none has these filters.
export function showCommand(query) {
  const [q, rate, show, sort] = ["q", "rate", "show", "sort"].map((name) => query.get(name) || "");
  if (query.get("score") || query.get("lasso") || show !== "" && show !== "dead" || q !== "" && (rate || show)) return null;
  const by = sort.replace("-", "") || "rate";
  if (q !== "") return `saescope search RUN '${q.replace(/'/g, "'\\''")}' --features`;
  const order = { rate: "rate", fires: "rate", max: "max", mean: "mean", feature: "feature" }[by];
  return order === undefined || (by !== "feature") !== (sort === "" || sort.startsWith("-")) ? null
    : `saescope show RUN --sort ${order}${rate ? ` --rate ${rate}` : ""}${show === "dead" ? " --dead" : ""} --limit 1000`;
}

function cells(run, f, picking) {
  const label = labelOf(run, f), status = statusOf(run, f);
  const [low, high] = wilson(run.n_fires[f], run.meta.rows.used);
  const dead = run.n_fires[f] === 0;
  const box = el("input", { type: "checkbox", checked: picking.has(f), tabindex: -1, "aria-label": `pick feature ${f}`, on: { change: () => picking.toggle(f) } });
  return [el("label", { class: "pick" }, box, String(f)),
    label !== "" ? el("span", { title: label }, label) : el("span", { class: "dim" }, dead ? "dead" : run.labels === null ? "–" : "no label"),
    run.label_auc === null || Number.isNaN(run.label_auc[f]) ? el("span", { class: "dim" }, "–") : el("span", { class: `chip ${status.replace(" ", "-")}`, title: status }, share(run.label_auc[f])),
    el("span", { title: dead ? `below ${percent(high)}` : `${percent(low)} to ${percent(high)}` }, dead ? "dead" : percent(run.rate_pct[f])),
    count(run.n_fires[f]), dead ? "–" : activation(run.max_activation[f]), dead ? "–" : activation(run.mean_activation[f])];
}

function header(list, query, change) {
  const sort = query.get("sort") || "-rate";
  list.header.replaceChildren(...LIST_COLUMNS.map((column) => {
    if (column.name === null) return el("div", { role: "columnheader", class: column.class }, column.title);
    const current = sort.replace("-", "") === column.name;
    const falling = sort.startsWith("-");
    const next = current ? (falling ? column.name : `-${column.name}`) : (column.falls ? `-${column.name}` : column.name);
    return el("div", { role: "columnheader", class: column.class, "aria-sort": current ? (falling ? "descending" : "ascending") : "none" },
      button(`${column.title}${current ? (falling ? " ↓" : " ↑") : ""}`, () => change({ sort: next }), { class: "sort" }));
  }));
}

function scoreInputs(query, change) {
  const range = readRange(query.get("score")) || [-Infinity, Infinity];
  const input = (i, name) => el("input", { type: "number", min: 0, max: 1, step: 0.05, value: Number.isFinite(range[i]) ? range[i] : null, "aria-label": name, placeholder: i === 0 ? "0" : "1",
    on: { input: (event) => {
      range[i] = event.target.value === "" ? (i === 0 ? -Infinity : Infinity) : Number(event.target.value);
      change({ score: range.some(Number.isFinite) ? writeRange(range) : "" });
    } } });
  return el("label", { class: "range" }, "Score", input(0, "lowest score"), "to", input(1, "highest score"));
}

export function featuresPage(run, where) {
  const query = where.query;
  let chosen = new Uint32Array(0);
  const picked = new Set((query.get("pick") || "").split(",").filter((text) => /^\d+$/.test(text)).map(Number).filter((f) => f < run.n));
  const picking = { has: (f) => picked.has(f), toggle: (f) => {
    if (!picked.delete(f)) picked.add(f);
    setPicked();
  } };
  const found = el("p", { class: "found", role: "status" });
  const order = el("div", { class: "order" });
  const list = virtualList({
    columns: LIST_COLUMNS, rowHeight: matchMedia("(max-width: 640px)").matches ? 56 : 32, label: "Features", draw: (f) => cells(run, f, picking),
    open: (f) => go(hash(`feature/${f}`, query)),
  });
  const how = el("div", {});
  const sayFound = () => found.replaceChildren(`${count(chosen.length)} of ${plural(run.n, "feature")}`, ...(picked.size === 0 ? [] : [`; ${count(picked.size)} picked, for files and copies `, button("Unpick", () => { picked.clear(); setPicked(); }, { class: "small" })]));
  function setPicked() {
    const text = [...picked].join(",");
    if (text === "") query.delete("pick");
    else query.set("pick", text);
    amend("features", query);
    sayFound();
    list.redraw();
  }
  const inFiles = () => (picked.size === 0 ? chosen : Uint32Array.from(picked).sort());
  const refresh = () => {
    chosen = selectFeatures(run, query);
    sayFound();
    const same = showCommand(query);
    how.replaceChildren(...(same === null ? [] : [command(same)]));
    header(list, query, change);
    list.set(chosen);
  };
  function change(parameters) {
    for (const [name, value] of Object.entries(parameters)) {
      if (value === "" || value === null) query.delete(name);
      else query.set(name, value);
    }
    amend("features", query);
    refresh();
  }
  const search = el("input", { type: "search", id: "search", placeholder: "words in labels and keywords", value: query.get("q"), "aria-label": "Words",
    on: { input: (event) => change({ q: event.target.value }) } });
  const show = el("select", { "aria-label": "Which features", on: { change: (event) => change({ show: event.target.value === "all" ? "" : event.target.value }) } },
    SHOWS.map((name) => el("option", { value: name, selected: (query.get("show") || "all") === name }, name)));
  const filters = el("div", { class: "filters" }, search, show, run.label_auc === null ? null : scoreInputs(query, change),
    button("Clear", () => { go(hash("features")); dispatchEvent(new Event("hashchange")); }, { class: "small" }));
  const chart = el("details", { class: "density", open: true }, el("summary", {}, "Rates"), densityChart(run, {
    width: chartWidth(1068), height: 150, range: readRange(query.get("rate")), change: (range) => change({ rate: writeRange(range) }),
  }));
  const page = el("div", { class: "page wide" }, el("h1", {}, "Features"), chart, filters, el("div", { class: "above" }, found, exports(run, inFiles)), order, list.root,
    how);
  page.list = list;
  page.pick = () => { const f = list.current(); if (f !== null) picking.toggle(f); };
  page.shown = () => { refresh(); list.root.querySelector(".body").focus({ preventScroll: true }); };
  return page;
}
