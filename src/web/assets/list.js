// A table of any length, of which the rows in sight are elements.
import { el } from "./dom.js";
import { count } from "./numbers.js";

const MOST_PIXELS = 16e6; // browsers lose elements that are higher

// columns: [{name, title, class, sort}]; draw(item) gives the cells; open(item) is called for Enter and a click.
export function virtualList(options) {
  const { columns, rowHeight, label, draw, open } = options;
  let items = new Uint32Array(0), current = 0, drawn = [];
  const header = el("div", { role: "row", class: "row head", "aria-rowindex": 1 });
  const spacer = el("div", { class: "spacer", role: "presentation" });
  const body = el("div", { role: "rowgroup", class: "body", tabindex: 0, "aria-label": label }, spacer);
  const root = el("div", { role: "table", class: "list", "aria-label": label, "aria-colcount": columns.length }, el("div", { role: "rowgroup" }, header), body);

  const height = () => Math.min(items.length * rowHeight, MOST_PIXELS);
  const scale = () => (items.length * rowHeight - body.clientHeight) / Math.max(1, height() - body.clientHeight);
  const firstRow = () => Math.max(0, Math.floor(body.scrollTop * (items.length * rowHeight > MOST_PIXELS ? scale() : 1) / rowHeight));

  function redraw() {
    const visible = Math.ceil((body.clientHeight || 400) / rowHeight) + 2;
    const first = Math.min(firstRow(), Math.max(0, items.length - 1));
    drawn.forEach((row) => row.remove());
    drawn = [];
    for (let i = first; i < Math.min(items.length, first + visible); i++) {
      const row = el("div", { role: "row", class: i === current ? "row current" : "row", "aria-rowindex": i + 2, "data-index": i, on: { click: (event) => { if (!event.target.closest("label")) { current = i; open(items[i]); } } } },
        draw(items[i]).map((cell, k) => el("div", { role: "cell", class: columns[k].class }, cell)));
      const offset = items.length * rowHeight > MOST_PIXELS ? body.scrollTop + (i - firstRow()) * rowHeight : i * rowHeight;
      row.style.setProperty("transform", `translateY(${offset}px)`);
      drawn.push(row);
    }
    body.append(...drawn);
    header.style.setProperty("margin-right", `${body.offsetWidth - body.clientWidth}px`); // where the scroll bar is
  }

  function reveal(i) {
    current = Math.min(items.length - 1, Math.max(0, i));
    const factor = items.length * rowHeight > MOST_PIXELS ? scale() : 1;
    const top = current * rowHeight / factor;
    if (top < body.scrollTop) body.scrollTop = top;
    else if (top + rowHeight > body.scrollTop + body.clientHeight) body.scrollTop = top + rowHeight - body.clientHeight;
    redraw();
  }

  body.addEventListener("scroll", redraw, { passive: true });
  body.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.floor(body.clientHeight / rowHeight) - 1);
    const move = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity }[event.key];
    if (move !== undefined) {
      event.preventDefault();
      reveal(move === -Infinity ? 0 : move === Infinity ? items.length - 1 : current + move);
    } else if (event.key === "Enter" && items.length > 0) {
      event.preventDefault();
      open(items[current]);
    }
  });
  return {
    root, header,
    set(next, keep) {
      items = next;
      spacer.style.setProperty("height", `${height()}px`);
      root.setAttribute("aria-rowcount", items.length + 1);
      if (!keep) { current = 0; body.scrollTop = 0; }
      redraw();
    },
    current: () => (items.length > 0 ? items[current] : null),
    move: (by) => reveal(current + by),
    reveal,
    openCurrent: () => items.length > 0 && open(items[current]),
    redraw,
    describe: () => `${count(items.length)} rows`,
  };
}
