// Numbers as people read them, and the intervals behind them.

const Z = 1.959963984540054;

export function count(n) {
  return String(Math.round(n)).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function plural(n, noun) {
  return `${count(n)} ${noun}${n === 1 ? "" : "s"}`;
}

// As C and Python print it: a tie goes to the even digit, where toFixed takes the larger number.
function fixed(x, places) {
  const text = x.toFixed(places), twice = Math.abs(x) * 2 * 10 ** places;
  if (places > 60 || Math.abs(twice - Math.round(twice)) > 1e-6 || Math.round(twice) % 2 === 0 || "02468".includes(text[text.length - 1])) return text;
  const exact = x.toFixed(places + 40);
  return /^50*$/.test(exact.slice(-40)) ? exact.slice(0, -40).replace(/\.$/, "") : text;
}

// So many significant digits, without an exponent where one can be avoided.
export function digits(x, n) {
  if (!Number.isFinite(x)) return "–";
  if (x === 0) return "0";
  const places = n - 1 - Math.floor(Math.log10(Math.abs(x)));
  if (places > 12 || places < -12) return x.toExponential(n - 1);
  return fixed(x, Math.max(0, Math.min(places, 20)));
}

export function percent(pct) {
  return pct >= 99.95 && pct < 100 ? `${fixed(pct, 2)} %` : `${digits(pct, 3)} %`;
}

export function activation(x) {
  return digits(x, 4);
}

export function share(x) {
  return Number.isFinite(x) ? fixed(x, 3) : "–";
}

export function bytes(n) {
  return n < 1e6 ? `${count(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`;
}

// Wilson's score interval at 95 %, in percent, computed as features.csv has it.
export function wilson(k, n) {
  if (n === 0) return [0, 100];
  const p = k / n, z2 = Z * Z;
  const centre = p + z2 / (2 * n);
  const half = Z * Math.sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return [k > 0 ? 100 * ((centre - half) / (1 + z2 / n)) : 0, k < n ? 100 * ((centre + half) / (1 + z2 / n)) : 100];
}

// The rate in percent that a feature without a fire in n rows stays below, at 95 %.
export function deadBound(n) {
  return n === 0 ? 100 : 100 * (1 - Math.pow(0.05, 1 / n));
}

const RAISED = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
export function powerOfTen(exponent) {
  return `10${String(exponent).split("").map((c) => RAISED[c]).join("")}`;
}
