// Groups of texts in one run, by the values of a column that was kept: what `diff --by` says, asked of the program.
import { button, command, copy, el, toTsv } from "./dom.js";
import { count, digits, percent, plural } from "./numbers.js";
import { labelOf } from "./data.js";
import { amend, hash } from "./route.js";

const MOST_GROUP_ROWS = 1000;

// Names of the columns that texts of this run carry.
export function keptColumns(run) {
  for (const line of run.texts.kept === null ? [] : run.texts.kept) {
    if (line === "") continue;
    try {
      const value = JSON.parse(line);
      return Object.keys(value.kept || value);
    } catch { /* the next one */ }
  }
  return [];
}

function groupNumber(x) { return Number.isFinite(x) ? (x !== 0 && Math.abs(x) < 1e-3 ? x.toExponential(1) : digits(x, 3)) : "–"; }

// A is all other texts, B the group.
function groupRow(run, item) {
  const rate = (fires, rows) => (fires === 0 ? "never" : percent(100 * fires / rows));
  const label = labelOf(run, item.feature_a);
  return el("tr", {}, el("td", { dir: "auto" }, item.group), el("td", {}, el("a", { href: hash(`feature/${item.feature_a}`) }, label === "" ? String(item.feature_a) : `${item.feature_a} ${label}`)),
    [rate(item.n_fires_b, item.n_rows_b), rate(item.n_fires_a, item.n_rows_a)].map((text) => el("td", { class: "number" }, text)),
    el("td", { class: "number", title: `95 %: ${digits(item.low_pct, 3)} to ${digits(item.high_pct, 3)} points` }, digits(item.difference_pct, 3)),
    [groupNumber(item.odds_ratio === null ? NaN : item.odds_ratio), groupNumber(item.q === null ? NaN : item.q)].map((text) => el("td", { class: "number" }, text)));
}

const GROUP_HEADER = ["group", "feature", "in it", "elsewhere", "difference", "odds ratio", "q"];

function groupTable(run, items) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Features of groups" }, el("table", { class: "plain groups" },
    el("thead", {}, el("tr", {}, GROUP_HEADER.map((name, i) => el("th", { class: i > 1 ? "number" : null }, name)))), el("tbody", {}, items.map((item) => groupRow(run, item)))));
}

function groupCopy(run, items) {
  const header = ["group", "feature", "label", "n_fires", "n_rows", "n_fires_elsewhere", "n_rows_elsewhere", "difference_pct", "low_pct", "high_pct", "odds_ratio", "q"];
  return button("Copy", () => copy(toTsv([header, ...items.map((item) => [item.group, item.feature_a, labelOf(run, item.feature_a), item.n_fires_b, item.n_rows_b, item.n_fires_a, item.n_rows_a, item.difference_pct, item.low_pct, item.high_pct, item.odds_ratio, item.q])]), "Groups"), { class: "small" });
}

export function groupsPage(run, where) {
  const columns = keptColumns(run), query = where.query;
  const by = query.get("by") || columns[0] || "";
  const said = el("p", { class: "found", role: "status" }), place = el("div", {});
  let items = [];
  const options = (names, chosen) => names.map(([value, text]) => el("option", { value, selected: value === chosen }, text));
  const groups = el("select", { "aria-label": "Group", on: { change: () => { query.set("group", groups.value); amend("groups", query); draw(); } } });
  const column = el("select", { "aria-label": "Column", on: { change: (event) => { location.hash = hash("groups", { by: event.target.value }); } } }, options((columns.includes(by) ? columns : [by, ...columns]).map((name) => [name, name]), by));
  const sure = el("select", { "aria-label": "How sure", on: { change: (event) => { query.set("most", event.target.value); location.hash = hash("groups", query); } } }, options([["0.05", "q ≤ 0.05"], ["1", "all"]], query.get("most") || "0.05"));
  const page = el("div", { class: "page wide" }, el("h1", {}, by === "" ? "Groups of texts" : `Groups of texts by ${by}`), el("div", { class: "filters" }, column, groups, sure), said, place,
    el("p", { class: "dim" }, "Over the texts that the run kept: how often a feature fires in the texts of a group, and in all others. Difference in points of percent (its 95 % interval by Newcombe's method on pointing); q: Benjamini and Hochberg's, over all groups and features."),
    command(`saescope diff RUN --by ${by === "" ? "COLUMN" : by}`));
  function draw() {
    const chosen = groups.value, own = items.filter((item) => chosen === "" || item.group === chosen);
    place.replaceChildren(own.length === 0 ? el("p", {}, "No feature differs so surely.") : groupTable(run, own), own.length === 0 ? "" : groupCopy(run, own));
  }
  if (by === "") {
    said.textContent = "No column was kept with the texts: saescope analyze --keep NAMES keeps some.";
    return page;
  }
  page.ready = run.get(`diff?${new URLSearchParams({ by, q_max: query.get("most") || "0.05", limit: MOST_GROUP_ROWS })}`).then((answer) => {
    items = answer.differences;
    const names = [...new Set(items.map((item) => item.group))].sort();
    groups.replaceChildren(...options([["", `all ${plural(names.length, "group")}`], ...names.map((name) => [name, name])], query.get("group") || ""));
    said.textContent = `${plural(answer.n_found, "difference")} of ${count(answer.n_compared)}${answer.n_found > items.length ? `; the surest ${count(items.length)} are shown` : ""}`;
    draw();
  }, (error) => { said.textContent = error.message; });
  return page;
}
