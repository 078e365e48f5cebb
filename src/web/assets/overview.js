// The first page: what the run is, how often features fire, what it was made from, what is not here.
import { button, command, el } from "./dom.js";
import { count, deadBound, digits, percent, plural } from "./numbers.js";
import { chartWidth, densityChart } from "./chart.js";
import { go, hash, writeRange } from "./route.js";
import { DENSE_PCT, selectFeatures } from "./select.js";

function tile(number, text, link) {
  const parts = [el("strong", {}, number), el("span", {}, text)];
  return link ? el("a", { class: "tile", href: link }, ...parts) : el("div", { class: "tile" }, ...parts);
}

function tiles(run) {
  let dense = 0;
  let fires = 0;
  for (let f = 0; f < run.n; f++) {
    dense += run.rate_pct[f] >= DENSE_PCT ? 1 : 0;
    fires += run.n_fires[f];
  }
  const used = run.meta.rows.used, dead = run.meta.n_dead;
  return el("div", { class: "tiles" },
    tile(count(used), "texts used", null),
    tile(count(run.n), "features", hash("features")),
    tile(used === 0 ? "–" : digits(fires / used, 3), "features fire on a text, in the mean", null),
    tile(`${digits(run.meta.median_rate_pct, 3)} %`, "median fire rate", null),
    tile(count(dead), dead > 0 ? `dead: below ${percent(deadBound(used))}` : "dead", hash("features", { show: "dead", sort: "feature" })),
    tile(count(dense), `dense: ${DENSE_PCT} % or more`, hash("features", { show: "dense" })));
}

function density(run) {
  const found = el("p", { class: "found", role: "status" });
  const list = (range) => {
    const query = new URLSearchParams(range ? { rate: writeRange(range) } : {});
    const n = selectFeatures(run, query).length;
    found.replaceChildren(range ? `${plural(n, "feature")} between ${percent(range[0])} and ${percent(range[1])} ` : `All ${plural(n, "feature")} `,
      button("List them", () => go(hash("features", query)), { class: "small" }));
  };
  const chart = densityChart(run, { width: chartWidth(828), height: 240, range: null, change: list });
  list(null);
  return el("section", {}, el("h2", {}, "How often features fire"), chart, found);
}

function verdicts(run) {
  if (run.label_status === null) return null;
  const counts = run.meta.labels.statuses.map(() => 0);
  run.label_status.forEach((status) => counts[status]++);
  const rows = run.meta.labels.statuses.map((name, i) => [name, counts[i]]).filter(([, n]) => n > 0);
  return el("section", {}, el("h2", {}, "What labels are worth"),
    el("p", {}, "Labels were scored on texts that they were not made from: how well a label tells texts in which its feature fires from others, as an area under the ROC curve (AUC; 0.5 is chance)."),
    el("table", { class: "plain" }, el("thead", {}, el("tr", {}, el("th", {}, "verdict"), el("th", { class: "number" }, "features"))),
      el("tbody", {}, rows.map(([name, n]) => el("tr", {}, el("td", {}, el("span", { class: `chip ${name.replace(" ", "-")}` }, name)), el("td", { class: "number" }, count(n)))))));
}

// What a page would need and the run does not have: the command that makes it.
function missing(run) {
  const parts = [];
  if (run.labels === null) parts.push([`Labels and their scores`, "saescope describe RUN"]);
  if (run.pairs === null) parts.push(["Which features fire together, and families of them", "saescope families RUN"]);
  if (run.map === null) parts.push(["A map of the features", "saescope map RUN"]);
  if (run.meta.evidence === null) parts.push(["Activation histograms, other texts, near misses", "saescope analyze … --evidence full"]);
  if (!run.meta.shown.texts) parts.push(["Texts were left out of this file", "saescope report RUN --out report.html"]);
  else if (run.meta.shown.n_cut > 0) parts.push([`${plural(run.meta.shown.n_cut, "text")} of ${count(run.meta.shown.n_texts)} are cut after ${run.meta.shown.chars} characters`, "saescope report RUN --out report.html --budget 50M"]);
  if (parts.length === 0) return null;
  return el("section", {}, el("h2", {}, "What is not here"), parts.map(([what, how]) => el("div", { class: "missing" }, el("p", {}, what), command(how))));
}

function facts(pairs) {
  return el("dl", { class: "facts" }, pairs.filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => [el("dt", {}, name), el("dd", {}, String(value))]));
}

function provenance(run) {
  const { model, sae, dataset, rows } = run.meta;
  const skipped = Object.entries(rows.skipped).map(([kind, n]) => `${count(n)} ${kind}`).join(", ");
  const files = [["model", model], ["SAE", sae], ["dataset", dataset]].flatMap(([name, part]) => part.files.map((file) => [name, file.name, file.sha256 || "–"]));
  return el("section", {}, el("h2", {}, "Where it comes from"),
    facts([["Dataset", dataset.name], ["Rows read", count(rows.read)], ["Rows used", count(rows.used)], ["Rows skipped", skipped || "none"],
      ["Encoder", model.name], ["SAE", `${sae.kind} of ${count(sae.n_features)} features, ${sae.format}`], ["Activation rule", sae.rule],
      ["Precision", run.meta.precision], ["Texts per feature", run.meta.top_k], ["saescope", run.meta.saescope_version]]),
    el("details", {}, el("summary", {}, "Hashes of the files"),
      el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Hashes" }, el("table", { class: "plain" },
        el("thead", {}, el("tr", {}, el("th", {}, "part"), el("th", {}, "file"), el("th", {}, "SHA-256"))),
        el("tbody", {}, files.map((row) => el("tr", {}, row.map((cell, i) => el("td", { class: i === 2 ? "mono" : null }, cell)))))))),
    command("saescope inspect RUN"));
}

export function overviewPage(run) {
  return el("div", { class: "page" }, el("h1", {}, run.meta.title), tiles(run), density(run), verdicts(run), missing(run), provenance(run));
}
