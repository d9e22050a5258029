// Charts in SVG: the parts of an operation's time, a curve of percentiles, a heat map.

import { clock, count, el, number, percent, rate, svg, time } from "./common.js";

/** The parts of an operation's time, in the order in which they pass. */
export const PARTS = [
  ["queue_wait", "queue wait", (one) => one.queue_wait.total],
  ["begin_latency", "begin", (one) => one.begin_latency.total],
  ["batch_wait", "batch wait", (one) => one.batch_wait.total],
  ["execute", "execute", (one) => one.execute.total],
  ["commit_latency", "commit", (one) => one.commit_latency.total],
  ["unaccounted", "unaccounted", (one) => one.unaccounted_us],
];

/** What the colours of `stack` mean. */
export function legend(container) {
  container.replaceChildren(...PARTS.map(([, title], n) => el(
    "span", {},
    svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, svg("rect", { width: 12, height: 12, class: `p${n}` })),
    title,
  )));
}

/** A bar of parts, `[title, value]` each, that fill it. */
export function stack(parts) {
  const sum = parts.reduce((all, [, value]) => all + value, 0);
  const words = parts.filter(([, value]) => value > 0)
    .map(([title, value]) => `${title} ${percent(value / sum)}`).join(", ");
  const bar = svg("svg", {
    class: "stack", viewBox: "0 0 1000 14", preserveAspectRatio: "none", role: "img", "aria-label": words,
  }, svg("title", {}, words));
  let at = 0;
  parts.forEach(([, value], n) => {
    const width = sum > 0 ? (1000 * value) / sum : 0;
    if (width >= 1) bar.append(svg("rect", { x: at, width, height: 14, class: `p${n}` }));
    at += width;
  });
  return bar;
}

/** A bar as long as a share. */
export function share(value) {
  return svg("svg", { class: "stack", viewBox: "0 0 1000 14", preserveAspectRatio: "none", "aria-hidden": "true" },
    svg("rect", { width: 1000 * Math.min(1, value), height: 14, class: "share" }));
}

const shown = (unit) => (unit === "us" ? time : number);

/** The powers of ten that hold these values, at least one between two. */
function decades(low, high) {
  const from = Math.floor(Math.log10(Math.max(low, 0.1)));
  const to = Math.max(Math.ceil(Math.log10(Math.max(high, 0.1))), from + 1);
  return [from, to];
}

/** Draws a curve: percentiles to the right by how rare what is above them is, times up. */
export function curve(container, data) {
  const [width, height] = [Math.max(280, container.clientWidth || 480), 230];
  const [left, right, top, bottom] = [62, 16, 12, 26];
  if (data.points.length === 0) {
    container.replaceChildren(el("p", { class: "empty" }, "nothing in this window"));
    return;
  }
  const show = shown(data.unit);
  const [from, to] = decades(data.points[0].value, data.max);
  const x = (p) => left + (-Math.log10(1 - p / 100) / 4) * (width - left - right);
  const y = (value) => {
    const part = (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from);
    return height - bottom - part * (height - top - bottom);
  };
  const picture = svg("svg", {
    viewBox: `0 0 ${width} ${height}`, height, role: "img", class: "curve",
    "aria-label": `percentiles of ${data.name}: ${words(data)}`,
  });
  for (const p of [0, 50, 90, 99, 99.9, 99.99]) {
    picture.append(svg("line", { class: "grid", x1: x(p), x2: x(p), y1: top, y2: height - bottom }));
    picture.append(svg("text", { class: "quiet", x: x(p), y: height - 8, "text-anchor": p > 99.9 ? "end" : "middle" },
      p === 0 ? "min" : `p${p}`));
  }
  const steps = Math.ceil((to - from) / 6);
  for (let power = from; power <= to; power += steps) {
    const at = y(10 ** power);
    picture.append(svg("line", { class: "grid", x1: left, x2: width - right, y1: at, y2: at }));
    picture.append(svg("text", { class: "quiet", x: left - 6, y: at + 4, "text-anchor": "end" }, show(10 ** power)));
  }
  // Of a hundred values the last tells nothing of p99.9: dashed from there on.
  const sure = 100 * (1 - 1 / data.count) + 1e-9;
  const line = (points) => points.map((point, n) => `${n ? "L" : "M"}${x(point.percentile).toFixed(1)} ${y(point.value).toFixed(1)}`).join("");
  const known = data.points.filter((point) => point.percentile <= sure);
  const beyond = data.points.slice(Math.max(0, known.length - 1));
  picture.append(svg("path", { class: "line", d: line(known) }));
  if (beyond.length > 1) picture.append(svg("path", { class: "line unsure", d: line(beyond) }));
  for (const p of [50, 90, 99, 99.9]) {
    const point = data.points.find((each) => Math.abs(each.percentile - p) < 1e-6);
    if (!point || p > sure) continue;
    picture.append(svg("circle", { class: "dot", cx: x(p), cy: y(point.value), r: 3.5 }));
    // The median's stands below, where the axis leaves it room.
    const place = p === 50
      ? { x: x(p) + 7, y: Math.min(y(point.value) + 15, height - bottom - 4), "text-anchor": "start" }
      : { x: x(p) - 6, y: Math.max(y(point.value) - 7, 11), "text-anchor": "end" };
    picture.append(svg("text", place, show(point.value)));
  }
  container.replaceChildren(picture);
}

/** The figures of a curve in words. */
export function words(data) {
  const show = shown(data.unit);
  const at = (p) => data.points.find((point) => Math.abs(point.percentile - p) < 1e-6)?.value ?? 0;
  return [
    `${count(data.count)} values`, `mean ${show(data.mean)}`, `p50 ${show(at(50))}`, `p90 ${show(at(90))}`,
    `p99 ${show(at(99))}`, `p99.9 ${show(at(99.9))}`, `max ${show(data.max)}`,
  ].join(", ");
}

// Cividis, which those who see no red or green read as well.
const HEAT = [[0, 32, 76], [49, 68, 107], [102, 105, 112], [149, 143, 120], [203, 186, 105], [255, 234, 70]];

function heatColour(part) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const at = (dark ? 0.12 + 0.88 * part : 0.92 * (1 - part)) * (HEAT.length - 1);
  const low = Math.min(Math.floor(at), HEAT.length - 2);
  const mixed = HEAT[low].map((value, n) => Math.round(value + (HEAT[low + 1][n] - value) * (at - low)));
  return `rgb(${mixed.join(" ")})`;
}

/** A heat map that stays in place while its figures change: time × size, one colour per rate. */
export class HeatMap {
  /** `pick` hears of a cell: `{lower, upper, count, from, to, rate}`. */
  constructor(pick) {
    this.pick = pick;
    this.picture = svg("svg", {
      class: "heat", tabindex: 0, role: "group", onkeydown: (event) => this.key(event),
      "aria-label": "heat map of time and size: arrow keys move, Enter picks a cell",
    });
    this.nothing = el("p", { class: "empty" }, "nothing was kept yet: a column comes every two seconds");
    this.element = el("div", {}, this.nothing, this.picture);
    this.cells = [];
  }

  draw(data) {
    this.nothing.hidden = data.edges.length > 0;
    this.picture.toggleAttribute("hidden", data.edges.length === 0);
    if (data.edges.length === 0) return;
    /** Writes a bound of a cell in its unit. */
    const show = this.show = shown(data.unit);
    const rows = data.edges.length - 1;
    const [left, right, top, bottom] = [62, 16, 6, 24];
    const width = Math.max(280, this.element.clientWidth || 480);
    const each = Math.min(16, Math.max(6, 200 / rows));
    const height = top + bottom + each * rows;
    const began = data.columns[0].ended_ms - data.columns[0].span_s * 1e3;
    const ended = data.columns.at(-1).ended_ms;
    const x = (ms) => left + ((ms - began) / Math.max(1, ended - began)) * (width - left - right);
    const y = (row) => height - bottom - (row + 1) * each;
    this.picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.picture.setAttribute("height", height);
    this.cells = data.columns.flatMap((column, at) => {
      const from = column.ended_ms - column.span_s * 1e3;
      return column.cells.map(([row, values]) => ({
        at, row, from, to: column.ended_ms, count: values, rate: values / Math.max(column.span_s, 0.1),
        lower: data.edges[row], upper: data.edges[row + 1],
      }));
    });
    const most = Math.max(...this.cells.map((cell) => cell.rate));
    const least = Math.min(...this.cells.map((cell) => cell.rate));
    const part = (value) => (most > least ? Math.log(value / least) / Math.log(most / least) : 1);
    const rects = this.cells.map((cell) => {
      const [from, to] = [x(cell.from), x(cell.to)];
      const words = `${clock(cell.from)} to ${clock(cell.to)}, ${show(cell.lower)} to ${show(cell.upper)}: `
        + `${count(cell.count)} (${rate(cell.rate)})`;
      return svg("rect", {
        class: "cell", x: from.toFixed(1), y: y(cell.row), width: Math.max(1, to - from - 0.5).toFixed(1),
        height: each - 0.5, fill: heatColour(part(cell.rate)), "data-count": cell.count,
        "data-lower": cell.lower, onclick: () => this.choose(cell),
      }, svg("title", {}, words));
    });
    const labels = [];
    const every = Math.max(2, 2 * Math.ceil(18 / (2 * each)));
    for (let row = rows % 2; row <= rows; row += every) {
      labels.push(svg("text", { class: "quiet", x: left - 6, y: y(row) + each + 4, "text-anchor": "end" }, show(data.edges[row])));
    }
    for (const [ms, anchor] of [[began, "start"], [(began + ended) / 2, "middle"], [ended, "end"]]) {
      labels.push(svg("text", { class: "quiet", x: x(ms), y: height - 7, "text-anchor": anchor }, clock(ms)));
    }
    labels.push(svg("line", { class: "grid", x1: left, x2: width - right, y1: height - bottom, y2: height - bottom }));
    this.place = (cell) => ({ x: x(cell.from), y: y(cell.row), width: x(cell.to) - x(cell.from), height: each });
    this.frame = svg("rect", { class: "picked" });
    this.picture.replaceChildren(...labels, ...rects, this.frame);
    this.mark();
  }

  /** The cell that was picked last, if it is still on the map. */
  current() {
    return this.cells.find((cell) => cell.to === this.picked?.to && cell.lower === this.picked?.lower);
  }

  mark() {
    const cell = this.current();
    this.frame.toggleAttribute("hidden", !cell);
    if (cell) for (const [name, value] of Object.entries(this.place(cell))) this.frame.setAttribute(name, value);
    else this.frame.setAttribute("width", 0);
  }

  choose(cell, quietly = false) {
    this.picked = cell;
    this.mark();
    if (!quietly) this.pick(cell);
  }

  /** Arrows go to the next cell that has something in their direction. */
  key(event) {
    const now = this.current() ?? this.cells.at(-1);
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    if (!now) return;
    if (event.key === "Enter" || event.key === " ") {
      this.choose(now);
    } else if (dx || dy) {
      const ahead = this.cells.filter((cell) => (dx ? (cell.at - now.at) * dx > 0 : cell.at === now.at && (cell.row - now.row) * dy > 0));
      const far = (cell) => Math.abs(cell.at - now.at) * 100 + Math.abs(cell.row - now.row);
      const next = ahead.sort((a, b) => far(a) - far(b))[0];
      this.choose(next ?? now, true);
    } else {
      return;
    }
    event.preventDefault();
  }
}
