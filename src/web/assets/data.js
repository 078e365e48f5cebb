// A run: columns of all features, and texts that are read when a page shows them.

const CHUNK_TEXTS = 256;

const lines = (array) => (array === null ? null : new TextDecoder().decode(array).split("\n"));

function lists(offsets, texts, values) {
  if (offsets === null) return null;
  return { offsets, texts, values, of: (f) => Array.from({ length: offsets[f + 1] - offsets[f] }, (_, i) => ({ text: texts[offsets[f] + i], value: values[offsets[f] + i], rank: i })) };
}

function textReader(npz, run, sizes) {
  const chunks = new Map();
  const starts = new Float64Array(sizes.length + 1);
  for (let i = 0; i < sizes.length; i++) starts[i + 1] = (i % CHUNK_TEXTS === 0 ? 0 : starts[i]) + sizes[i];
  const chunk = (number) => {
    if (!chunks.has(number)) chunks.set(number, npz.array(`texts_${String(number).padStart(4, "0")}`));
    return chunks.get(number);
  };
  const decoder = new TextDecoder();
  return async (i) => {
    if (!run.meta.shown.texts) return null;
    const bytes = await chunk(Math.floor(i / CHUNK_TEXTS));
    const start = i % CHUNK_TEXTS === 0 ? 0 : starts[i];
    return decoder.decode(bytes.subarray(start, starts[i + 1]));
  };
}

async function loadLists(npz, kind) {
  const [offsets, texts, values] = await Promise.all([`${kind}_offsets`, `${kind}_texts`, `${kind}_values`].map(npz.array));
  return lists(offsets, texts, values);
}

async function loadHistograms(npz) {
  const [offsets, bins, counts] = await Promise.all(["histogram_offsets", "histogram_bins", "histogram_counts"].map(npz.array));
  return offsets === null ? null : { offsets, bins, counts };
}

const MEASURES = ["phi", "lift", "jaccard", "npmi"];

async function loadPairs(npz) {
  const [offsets, partners, rows, ...values] = await Promise.all(["offsets", "partners", "rows", ...MEASURES].map((name) => npz.array(`pair_${name}`)));
  if (offsets === null) return null;
  return { of: (f) => Array.from({ length: offsets[f + 1] - offsets[f] }, (_, k) => {
    const i = offsets[f] + k;
    return { partner: partners[i], rows: rows[i], ...Object.fromEntries(MEASURES.map((name, m) => [name, values[m][i]])) };
  }) };
}

async function loadMap(npz) {
  const [x, y, clusters, labels, ...text] = await Promise.all(["map_x", "map_y", "map_clusters", "cluster_labels", "map_text_x", "map_text_y", "map_text_clusters", "map_text_rows", "map_text_numbers"].map(npz.array));
  const texts = text[0] === null ? null : { x: text[0], y: text[1], clusters: text[2], rows: text[3], numbers: text[4] };
  return x === null ? null : { x, y, clusters, labels: labels === null ? null : lines(labels).slice(0, -1), texts };
}

// Texts drawn at random, the same for every feature: its activation in each, 0 where it does not fire.
async function loadRandom(npz) {
  const [texts, offsets, features, values] = await Promise.all(["texts", "offsets", "features", "values"].map((name) => npz.array(`random_${name}`)));
  if (texts === null) return null;
  const valueIn = (i, f) => {
    for (let k = offsets[i]; k < offsets[i + 1]; k++) if (features[k] === f) return values[k];
    return 0;
  };
  return { of: (f) => Array.from(texts, (text, i) => ({ text, value: valueIn(i, f), rank: i })) };
}

// The nearest decoder directions of a feature.
async function loadNeighbours(npz) {
  const [offsets, ids, rows, cosine, phi, kind, chance] = await Promise.all(["offsets", "ids", "rows", "cosine", "phi", "kind", "chance"].map((name) => npz.array(`neighbour_${name}`)));
  if (offsets === null) return null;
  const kinds = { d: "duplicate", s: "split", o: "opposite" };
  return { chance: chance[0], of: (f) => Array.from({ length: offsets[f + 1] - offsets[f] }, (_, k) => {
    const i = offsets[f] + k;
    return { feature: ids[i], rows: rows[i], cosine: cosine[i], phi: phi[i], kind: kinds[String.fromCharCode(kind[i])] || "" };
  }) };
}

// The features whose parent this one is.
export function childrenOf(run, feature) {
  const children = [];
  for (let f = 0; f < run.n; f++) if (run.parents[f] === feature) children.push(f);
  return children;
}

export async function loadRun(npz) {
  const names = ["n_fires", "rate_pct", "max_activation", "mean_activation", "labels", "keywords", "label_status", "label_auc",
    "label_low", "label_high", "label_near", "label_positives", "label_negatives"];
  const arrays = await Promise.all(names.map(npz.array));
  const columns = Object.fromEntries(names.map((name, i) => [name, arrays[i]]));
  const run = { meta: JSON.parse(new TextDecoder().decode(await npz.file("meta.json"))), ...columns };
  run.n = columns.n_fires.length;
  run.labels = lines(columns.labels);
  run.keywords = lines(columns.keywords);
  [run.top, run.firing, run.miss] = await Promise.all(["top", "firing", "miss"].map((kind) => loadLists(npz, kind)));
  run.random = await loadRandom(npz);
  run.histograms = await loadHistograms(npz);
  run.pairs = await loadPairs(npz);
  run.neighbours = await loadNeighbours(npz);
  run.parents = await npz.array("parents");
  run.map = await loadMap(npz);
  const [sizes, lengths, rows, counts, kept, files] = await Promise.all(
    ["text_bytes", "text_lengths", "text_rows", "text_counts", "text_kept", "text_files"].map(npz.array));
  run.texts = { n: sizes.length, sizes, lengths, rows, counts, kept: lines(kept), files: lines(files) };
  run.text = textReader(npz, run, sizes);
  return run;
}

// The label of a feature, "" where there is none.
export function labelOf(run, feature) {
  return run.labels === null ? "" : run.labels[feature];
}

export function statusOf(run, feature) {
  return run.label_status === null ? "" : run.meta.labels.statuses[run.label_status[feature]];
}

// Where a bin of activations begins: the float of which it has the bits but the lowest 20.
export function binStart(bin) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bin << 20);
  return view.getFloat32(0);
}

// In which features' lists a text stands.
export function featuresOfTexts(run) {
  if (!run.reverse) {
    run.reverse = new Map();
    for (let f = 0; f < run.n; f++) {
      for (let i = run.top.offsets[f]; i < run.top.offsets[f + 1]; i++) {
        const text = run.top.texts[i];
        if (!run.reverse.has(text)) run.reverse.set(text, []);
        run.reverse.get(text).push({ feature: f, value: run.top.values[i] });
      }
    }
  }
  return run.reverse;
}
