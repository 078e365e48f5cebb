// Elements. Whatever a run says becomes text of an element, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) element.style.setProperty(property, text);
    } else if (name.startsWith("on")) {
      throw new Error(`${name} is no attribute`);
    } else {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

export function button(text, click, attributes = {}) {
  return el("button", { type: "button", on: { click }, ...attributes }, text);
}

// Where a sentence is said to people who do not see the page.
export function say(text) {
  const status = document.getElementById("status");
  if (status) status.textContent = text;
}

export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { class: "hidden", "aria-hidden": "true" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`${what} copied`);
}

export function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
  say(`${name} saved`);
}

// Rows of cells with a header as text to paste into a sheet.
export function toTsv(rows) {
  return rows.map((row) => row.map((cell) => String(cell).replace(/[\t\r\n]+/g, " ")).join("\t")).join("\n") + "\n";
}

export function table(header, rows, caption) {
  const line = (cells, tag) => el("tr", {}, cells.map((cell, i) => el(tag, { class: i > 0 && typeof cell === "number" ? "number" : null }, String(cell))));
  return el("table", { class: "plain" }, caption ? el("caption", {}, caption) : null,
    el("thead", {}, line(header, "th")), el("tbody", {}, rows.map((row) => line(row, "td"))));
}

// A command that prints the same numbers, with a button to copy it.
export function command(text) {
  return el("p", { class: "command" }, el("code", {}, text), button("Copy", () => copy(text, "Command"), { class: "small" }));
}
