// A run that is being written, or changes later: how far it is, and newer numbers when there are some.
import { button, el } from "./dom.js";
import { count } from "./numbers.js";

const RUNNING_MS = 2000;
const DONE_MS = 10000;

function duration(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

// What is said of a run: "" of one that is done.
export function progressText(live, age) {
  const { state, rows_read: read, rows_used: used, rows_total: total, seconds } = live;
  if (state === "done") return "";
  if (live.pages === null) return "The analysis has begun; there are no numbers yet.";
  const rate = seconds > 0 ? read / seconds : 0;
  const of = total === null ? `${count(read)} rows read` : `${count(read)} of ${count(total)} rows read`;
  if (state === "interrupted") return `The analysis ended before it was done, after ${of}: these numbers are of the first ${count(used)} that were used.`;
  const left = total !== null && rate > 0 && total > read ? `, about ${duration((total - read) / rate - age)} left` : "";
  return `The analysis is at work: ${of}, ${count(rate)} a second${left}. Numbers are of the first ${count(used)} rows used, ${duration(age)} ago.`;
}

// Watches the program: `refresh` loads newer numbers, which is done at once on pages where nothing is lost by it.
export function watchRun(get, pages, place, refresh, isQuiet) {
  let shown = pages, offered = pages, since = Date.now();
  const offer = () => button("Show the newest numbers", () => { shown = offered; refresh(); }, { class: "small" });
  async function look() {
    let live = null;
    try {
      live = await get("live");
    } catch (error) {
      place.replaceChildren(el("p", { class: "warning" }, `The program that serves these pages does not answer: ${error.message}`));
      setTimeout(look, DONE_MS);
      return;
    }
    if (live.pages !== offered) { offered = live.pages; since = Date.now(); }
    let isNewer = offered !== shown && offered !== null;
    if (isNewer && isQuiet()) {
      shown = offered;
      isNewer = false;
      await refresh();
    }
    const text = progressText(live, Math.round((Date.now() - since) / 1000));
    const bar = live.state === "running" && live.rows_total !== null ? el("progress", { max: live.rows_total, value: live.rows_read, "aria-label": "Rows read" }) : null;
    place.replaceChildren(...(text === "" && !isNewer ? [] : [el("div", { class: "live", "data-state": live.state }, el("span", {}, text || "The run has changed."), bar, isNewer ? offer() : null)]));
    setTimeout(look, live.state === "running" ? RUNNING_MS : DONE_MS);
  }
  look();
}
