// The frame: routes to pages, keys, colours, where the data comes from.
import { button, el, say } from "./dom.js";
import { fromBase64, openNpz } from "./npz.js";
import { loadRun } from "./data.js";
import { go, hash, route } from "./route.js";
import { overviewPage } from "./overview.js";
import { featuresPage } from "./features.js";
import { featurePage, isFeature } from "./feature.js";
import { mapPage } from "./map.js";
import { comparePage, loadComparison } from "./compare.js";
import { groupsPage, keptColumns } from "./groups.js";
import { textsPage } from "./search.js";
import { textPage } from "./text.js";
import { rowPage } from "./row.js";
import { steerPage } from "./steer.js";
import { progressText, watchRun } from "./live.js";
import { connect } from "./remote.js";

const PAGES = {
  "": { title: "Overview", draw: overviewPage }, features: { title: "Features", draw: featuresPage },
  feature: { draw: featurePage }, map: { title: "Map", has: (loaded) => loaded.map !== null, draw: mapPage }, compare: { title: "Comparison", has: (loaded) => loaded.comparison !== null, draw: comparePage }, groups: { title: "Groups", served: true, has: (loaded) => keptColumns(loaded).length > 0, draw: groupsPage }, texts: { title: "Texts", draw: textsPage }, text: { title: "Try a text", served: true, draw: textPage }, row: { draw: rowPage }, steer: { title: "Steer", served: true, draw: steerPage },
};
const KEYS = [["/", "search"], ["j, k", "down and up in the list"], ["Enter", "open"], ["x", "pick the feature in the list, for files"], ["n, p", "next and previous feature of the list"], ["Esc", "back"],
  ["g f, g t, g m, g c, g b, g o, g x, g r, g s", "features, texts, map, comparison, groups, overview, try a text, a row, steer"], ["?", "these keys"]];

let run = null;
let shown = null;

// ---- colours ----

const remembered = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
const remember = (name, value) => { try { localStorage.setItem(name, value); } catch { /* private windows have no storage */ } };

function setTheme(theme) {
  if (theme === "light" || theme === "dark") document.documentElement.setAttribute("data-theme", theme);
  else document.documentElement.removeAttribute("data-theme");
}

function nextTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.getAttribute("data-theme") || (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  setTheme(next);
  remember("saescope-theme", next);
  if (shown && shown.recoloured) shown.recoloured();
}

// ---- the frame ----

function helpDialog() {
  const single = el("input", { type: "checkbox", checked: remembered("saescope-keys") !== "off", on: { change: (event) => remember("saescope-keys", event.target.checked ? "on" : "off") } });
  const dialog = el("dialog", { id: "help", "aria-label": "Keys" }, el("h2", {}, "Keys"),
    el("dl", { class: "facts" }, KEYS.map(([key, what]) => [el("dt", {}, el("kbd", {}, key)), el("dd", {}, what)])),
    el("label", {}, single, " keys of one letter"), el("p", {}, button("Close", () => dialog.close())));
  return dialog;
}

function frame() {
  const jump = el("input", { type: "text", inputmode: "numeric", class: "jump", placeholder: "feature", "aria-label": "Go to a feature", size: 8,
    on: { keydown: (event) => { if (event.key === "Enter" && isFeature(run, event.target.value.trim())) { go(hash(`feature/${Number(event.target.value)}`)); event.target.value = ""; } } } });
  const links = Object.entries(PAGES).filter(([, page]) => page.title && (run.ask || !page.served) && (!page.has || page.has(run))).map(([path, page]) => el("a", { href: hash(path), "data-page": path }, page.title));
  document.body.append(el("header", {}, el("a", { class: "skip", href: "#main", on: { click: (event) => { event.preventDefault(); document.getElementById("main").focus(); } } }, "To the content"), el("span", { class: "brand" }, "saescope"), el("nav", { "aria-label": "Pages" }, links), jump,
    button("◐", nextTheme, { class: "small", "aria-label": "Light or dark" }), button("?", () => document.getElementById("help").showModal(), { class: "small", "aria-label": "Keys" })),
  el("div", { id: "live", role: "status" }), el("main", { id: "main", tabindex: "-1" }), el("div", { id: "status", role: "status", class: "said" }), helpDialog());
}

async function render() {
  const where = route();
  const page = PAGES[where.path[0]] || PAGES[""];
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.dataset.page === (where.path[0] === "feature" ? "features" : where.path[0])) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try {
    shown = page.draw(run, where);
  } catch (error) {
    console.error(error);
    shown = el("div", { class: "page" }, el("h1", {}, "This page cannot be shown"), el("p", {}, String(error)));
  }
  const main = document.getElementById("main");
  say("");
  main.replaceChildren(shown);
  scrollTo(0, 0);
  if (shown.shown) shown.shown();
  const heading = shown.querySelector("h1").textContent;
  document.title = heading === run.meta.title ? `${heading} – saescope` : `${heading} – ${run.meta.title} – saescope`;
  if (shown.ready) await shown.ready;
  document.body.dataset.ready = location.hash || "#/";
  if (performance.getEntriesByName("ready").length === 0) performance.mark("ready");
}

// ---- keys ----

let afterG = false;

function keyOf(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || /^(input|select|textarea)$/i.test(event.target.tagName) || document.getElementById("help").open) return null;
  return event.key;
}

function follow(key) {
  const link = document.querySelector(`[data-key="${key}"]`);
  if (link) link.click();
}

function press(event) {
  if (event.key === "Escape" && event.target.tagName === "INPUT") { event.target.blur(); return; }
  const key = keyOf(event);
  if (key === null || remembered("saescope-keys") === "off" && key.length === 1) return;
  const list = shown && shown.list;
  const actions = {
    "/": () => { const input = document.getElementById("search"); if (input) { input.focus(); input.select(); } else go(hash("features")); },
    j: () => list && list.move(1), k: () => list && list.move(-1), n: () => follow("n"), p: () => follow("p"),
    x: () => shown && shown.pick && shown.pick(),
    Escape: () => follow("back"), "?": () => document.getElementById("help").showModal(),
  };
  if (afterG) {
    afterG = false;
    const page = { f: "features", t: "texts", o: "", x: "text", m: "map", c: "compare", r: "row", s: "steer", b: "groups" }[key];
    if (page !== undefined) { event.preventDefault(); go(hash(page)); return; }
  }
  if (key === "g") { afterG = true; return; }
  if (actions[key]) { event.preventDefault(); actions[key](); }
}

// ---- data ----

// In a file the data stands beside this script; else the program that serves the page has it.
async function load() {
  const block = document.getElementById("data");
  const source = block ? { bytes: fromBase64(block.textContent), ask: null, get: null } : await connect(waiting);
  if (block) block.remove();
  const npz = openNpz(source.bytes);
  const loaded = await loadRun(npz);
  loaded.comparison = await loadComparison(npz, loaded);
  Object.assign(loaded, { ask: source.ask, get: source.get, pages: source.pages, tag: source.tag });
  return loaded;
}

// Before there are numbers.
function waiting(live) {
  const main = document.getElementById("waiting") || el("main", { class: "page", id: "waiting" }, el("h1", {}, "A run"), el("p", { role: "status" }));
  main.querySelector("p").textContent = progressText(live, 0);
  document.body.append(main);
}

// Newer numbers in place of those that are shown, on the page where we are.
async function refresh() {
  const { ask, get, pages } = run;
  const newer = await pages();
  if (newer === null) return;
  const npz = openNpz(newer.bytes), loaded = await loadRun(npz);
  run = Object.assign(loaded, { comparison: await loadComparison(npz, loaded), ask, get, pages, tag: newer.tag });
  await render();
}

async function start() {
  setTheme(remembered("saescope-theme"));
  try {
    run = await load();
  } catch (error) {
    document.body.append(el("main", { class: "page" }, el("h1", {}, "This run cannot be shown"), el("p", {}, error.message)));
    document.body.dataset.ready = "error";
    return;
  }
  const before = document.getElementById("waiting");
  if (before) before.remove();
  frame();
  addEventListener("hashchange", render);
  addEventListener("keydown", press);
  await render();
  if (run.get) watchRun(run.get, run.tag, document.getElementById("live"), refresh, () => route().path[0] === "");
}

start();
