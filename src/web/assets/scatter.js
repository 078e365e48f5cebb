// Points as pixels of a canvas, without a GPU. Drag moves, the wheel and + - zoom, Shift and a drag draw a lasso, a click picks.
import { el } from "./dom.js";

const REACH_PX = 12;
const MOST_CORNERS = 48;
const MARGIN_PX = 16;

export const rgba = (hex) => { // as four bytes of a picture in one number
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  return (255 << 24 | b << 16 | g << 8 | r) >>> 0;
};

export const isDark = () => getComputedStyle(document.documentElement).getPropertyValue("--back").trim() === "#0d1117";

// ---- where points are ----

// The view that shows all points of some sets [{x, y}]; NaN is no place.
export function wholeView(sets, width, height) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y } of sets) {
    for (let i = 0; i < x.length; i++) {
      const a = x[i], b = y[i];
      if (a < box[0]) box[0] = a;
      if (a > box[2]) box[2] = a;
      if (b < box[1]) box[1] = b;
      if (b > box[3]) box[3] = b;
    }
  }
  if (box[0] > box[2]) box.splice(0, 4, 0, 0, 1, 1);
  const scale = Math.min((width - 2 * MARGIN_PX) / (box[2] - box[0] || 1), (height - 2 * MARGIN_PX) / (box[3] - box[1] || 1));
  return { scale, first: scale, x: width / 2 - scale * (box[0] + box[2]) / 2, y: height / 2 + scale * (box[1] + box[3]) / 2 };
}

export function zoomed(view, factor, x, y) {
  return { ...view, scale: view.scale * factor, x: x - factor * (x - view.x), y: y - factor * (y - view.y) };
}

// ---- a lasso: corners as [x, y, x, y, …] in the numbers of the map ----

export function insideOf(corners) {
  const n = corners.length / 2;
  let left = Infinity, right = -Infinity, low = Infinity, high = -Infinity;
  for (let i = 0; i < n; i++) {
    left = Math.min(left, corners[2 * i]); right = Math.max(right, corners[2 * i]);
    low = Math.min(low, corners[2 * i + 1]); high = Math.max(high, corners[2 * i + 1]);
  }
  return (x, y) => {
    if (!(x >= left && x <= right && y >= low && y <= high)) return false;
    let is = false;
    for (let i = 0, j = n - 1; i < n; j = i++) {
      const ax = corners[2 * i], ay = corners[2 * i + 1], bx = corners[2 * j], by = corners[2 * j + 1];
      if ((ay > y) !== (by > y) && x < (bx - ax) * (y - ay) / (by - ay) + ax) is = !is;
    }
    return is;
  };
}

export function readLasso(text) {
  const corners = (text || "").split(",").map(Number);
  return corners.length >= 6 && corners.length % 2 === 0 && corners.every(Number.isFinite) ? corners : null;
}

export function writeLasso(corners) {
  return corners === null ? "" : corners.map((x) => Number(x.toPrecision(5))).join(",");
}

// ---- drawing ----

// Many points, a pixel each.
function drawSingle(pixels, { x, y }, view, width, height, colours, grey) {
  const { scale } = view, left = view.x, top = view.y;
  for (let i = 0; i < x.length; i++) {
    const a = left + scale * x[i], b = top - scale * y[i];
    if (a >= 0 && b >= 0 && a < width && b < height) pixels[(b | 0) * width + (a | 0)] = colours[i] === 0 ? grey : colours[i];
  }
}

// colours: a number of rgba a point; 0 and what is not marked, where marks are given, is grey.
export function drawPoints(canvas, points, view, { colours, marks, grey, markColour, lasso }) {
  const width = canvas.width, height = canvas.height, context = canvas.getContext("2d");
  if (!canvas.image) canvas.image = new ImageData(width, height);
  const pixels = new Uint32Array(canvas.image.data.buffer);
  const { x, y } = points, n = x.length, { scale } = view;
  const dot = Math.max(n > 2e5 ? 1 : 2, Math.min(7, Math.round((n > 2e5 ? 1 : 2) + Math.log2(scale / view.first) + (n < 5000 ? 2 : 0))));
  pixels.fill(0);
  if (marks === null && dot === 1) drawSingle(pixels, points, view, width, height, colours, grey);
  else for (let pass = 0; pass < (marks === null ? 1 : 2); pass++) {
    const size = pass === 1 ? dot + 2 : dot, left = view.x - size / 2, top = view.y - size / 2, mostX = width - size, mostY = height - size;
    for (let i = 0; i < n; i++) {
      if (marks !== null && marks[i] !== pass) continue;
      const a = left + scale * x[i], b = top - scale * y[i];
      if (!(a >= 0 && b >= 0 && a < mostX && b < mostY)) continue;
      const value = marks !== null && pass === 0 ? grey : colours[i] || (pass === 1 ? markColour : grey);
      let at = (b | 0) * width + (a | 0);
      for (let row = 0; row < size; row++, at += width) {
        for (let k = 0; k < size; k++) pixels[at + k] = value;
      }
    }
  }
  context.putImageData(canvas.image, 0, 0);
  if (lasso !== null) {
    context.beginPath();
    for (let i = 0; i < lasso.length; i += 2) context.lineTo(view.x + scale * lasso[i], view.y - scale * lasso[i + 1]);
    context.closePath();
    context.strokeStyle = getComputedStyle(canvas).color;
    context.lineWidth = 2;
    context.stroke();
  }
}

// The numbers of the points in sight, or in the lasso where there is one.
export function pointsIn(points, view, width, height, lasso) {
  const { x, y } = points, found = new Uint32Array(x.length);
  const inside = lasso === null ? null : insideOf(lasso);
  let n = 0;
  for (let i = 0; i < x.length; i++) {
    const a = view.x + view.scale * x[i], b = view.y - view.scale * y[i];
    if (inside === null ? a >= 0 && b >= 0 && a < width && b < height : inside(x[i], y[i])) found[n++] = i;
  }
  return found.subarray(0, n);
}

function nearestPoint(points, view, px, py) {
  const { x, y } = points;
  let best = -1, least = REACH_PX * REACH_PX;
  for (let i = 0; i < x.length; i++) {
    const dx = view.x + view.scale * x[i] - px, dy = view.y - view.scale * y[i] - py, square = dx * dx + dy * dy;
    if (square < least) [best, least] = [i, square];
  }
  return best;
}

// ---- a canvas that is moved ----

function corner(view, [px, py]) {
  return [(px - view.x) / view.scale, (view.y - py) / view.scale];
}

// What is in sight as a lasso.
export function viewLasso(view, width, height) {
  return [[0, 0], [width, 0], [width, height], [0, height]].flatMap((place) => corner(view, place));
}

// options: width, height, view() and setView(view, isDone), lasso(corners), isLasso(), picked(i), title(i), entered()
export function scatter(points, options) {
  const { width, height } = options;
  const canvas = el("canvas", { width, height, tabindex: 0, role: "img", class: "map" });
  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * width / box.width, (event.clientY - box.top) * height / box.height];
  };
  const zoom = (factor, x, y) => options.setView(zoomed(options.view(), factor, x, y), true);
  function drag(event, move, end) {
    const moved = (next) => move(placeOf(next));
    const ended = (next) => {
      canvas.removeEventListener("pointermove", moved);
      canvas.removeEventListener("pointerup", ended);
      end(placeOf(next));
    };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener("pointermove", moved);
    canvas.addEventListener("pointerup", ended);
  }
  function dragView(event) {
    const start = placeOf(event), before = options.view();
    let moved = false;
    drag(event, (now) => {
      moved = moved || Math.hypot(now[0] - start[0], now[1] - start[1]) > 4;
      if (moved) options.setView({ ...before, x: before.x + now[0] - start[0], y: before.y + now[1] - start[1] }, false);
    }, (now) => {
      const i = moved ? -1 : nearestPoint(points, options.view(), ...now);
      if (i >= 0) options.picked(i);
      else options.setView(options.view(), true);
    });
  }
  function dragLasso(event) {
    const path = [placeOf(event)];
    const corners = (most) => path.filter((_, i) => path.length <= most || i % Math.ceil(path.length / most) === 0).flatMap((place) => corner(options.view(), place));
    drag(event, (now) => { path.push(now); options.lasso(path.length < 3 ? null : corners(Infinity), false); }, () => options.lasso(path.length < 3 ? null : corners(MOST_CORNERS), true));
  }
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? 1.25 : 0.8, ...placeOf(event)); }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => (event.shiftKey || options.isLasso() ? dragLasso(event) : dragView(event)));
  canvas.addEventListener("mousemove", (event) => {
    const i = event.buttons === 0 ? nearestPoint(points, options.view(), ...placeOf(event)) : -1;
    canvas.title = i < 0 ? "" : options.title(i);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [40, 0], ArrowRight: [-40, 0], ArrowUp: [0, 40], ArrowDown: [0, -40] }[event.key], view = options.view();
    if (step) { event.preventDefault(); options.setView({ ...view, x: view.x + step[0], y: view.y + step[1] }, true); }
    if (event.key === "+" || event.key === "-") zoom(event.key === "+" ? 1.25 : 0.8, width / 2, height / 2);
    if (event.key === "0") options.setView(null, true);
    if (event.key === "Enter") options.entered();
  });
  return canvas;
}
