// Where we are stands in the fragment, which no server sees: "#/features?sort=-rate&q=stars".

export function route() {
  const text = location.hash.replace(/^#\/?/, "");
  const [path, query = ""] = text.split(/\?(.*)/s);
  return { path: path.split("/"), query: new URLSearchParams(query) };
}

// The fragment of a page, with the parameters that say something.
export function hash(path, parameters = {}) {
  const entries = parameters instanceof URLSearchParams ? [...parameters] : Object.entries(parameters);
  const query = new URLSearchParams(entries.filter(([, value]) => value !== "" && value !== null && value !== undefined));
  const text = query.toString();
  return `#/${path}${text ? `?${text}` : ""}`;
}

export function go(fragment) {
  location.hash = fragment;
}

// The same page in another state, while somebody types or drags.
export function amend(path, parameters) {
  history.replaceState(null, "", hash(path, parameters));
}

// "0.1..5", "1..", "..0.5"
export function readRange(text) {
  const found = /^([0-9.eE+-]*)\.\.([0-9.eE+-]*)$/.exec(text || "");
  if (!found) return null;
  const low = found[1] === "" ? -Infinity : Number(found[1]), high = found[2] === "" ? Infinity : Number(found[2]);
  return Number.isNaN(low) || Number.isNaN(high) ? null : [low, high];
}

export function writeRange(range) {
  if (!range) return "";
  const part = (x) => (Number.isFinite(x) ? String(x) : "");
  return `${part(range[0])}..${part(range[1])}`;
}
