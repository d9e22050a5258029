// What opens below a row: the curve and the heat map of one series, and the requests that
// stand for a cell of it.

import { HeatMap, curve, stack, words } from "./charts.js";
import { ask, clock, count, el, figures, path, time } from "./common.js";

const PHASES = [
  ["queue_wait_us", "queue wait"], ["begin_us", "begin"], ["batch_wait_us", "batch wait"],
  ["execute_us", "execute"], ["commit_us", "commit"], ["unaccounted_us", "unaccounted"],
];

/**
 * The panel of one series. `parts` are `[value, title]`, if there is more than the whole;
 * `window` answers the window of the page.
 */
export function detail({ kind, name, parts = [], window }) {
  const select = el("select", { onchange: () => refresh() },
    ...parts.map(([value, title]) => el("option", { value }, title)));
  const summary = el("p", { class: "summary" });
  const curveBox = el("div", { class: "chart" });
  const exemplars = el("div", { class: "exemplars", "aria-live": "polite" });
  const heat = new HeatMap((cell) => picked(kind, name, cell, exemplars));
  const heatBox = el("div", { class: "chart" }, heat.element);
  const hasHeat = kind !== "function";
  const element = el(
    "div", {},
    parts.length > 1 ? el("label", {}, "Part ", select) : "",
    summary,
    el(
      "div", { class: "charts" },
      el("section", {}, el("h3", {}, "Percentiles"), curveBox),
      hasHeat ? el("section", {}, el("h3", {}, name === "batch_size" ? "Heat map: time × size" : "Heat map: time × latency"), heatBox) : "",
    ),
    exemplars,
  );

  async function refresh() {
    const query = { kind, name, part: select.value || "whole", window: window() };
    try {
      const line = await figures(path("/debug/timings/curve", query));
      summary.textContent = line.count > 0 ? words(line) : "";
      curve(curveBox, line);
      if (hasHeat) heat.draw(await figures(path("/debug/timings/heat", query)));
    } catch (error) {
      summary.textContent = error.message;
    }
  }
  return { element, refresh };
}

/** Tells of a cell, and of a route which requests were like it. */
async function picked(kind, name, cell, box) {
  const range = `${time(cell.lower)} to ${time(cell.upper)}`;
  const line = `${count(cell.count)} between ${clock(cell.from)} and ${clock(cell.to)} took ${range}.`;
  box.replaceChildren(el("p", { class: "picked-cell" }, line));
  if (kind !== "route") return;
  const answer = await ask(path("/debug/exemplars", { route: name })).catch((error) => ({ text: error.message }));
  if (!answer.ok || !Array.isArray(answer.json?.buckets)) {
    const why = answer.status === 404 ? "this server keeps no requests of that route" : answer.text;
    box.append(el("p", { class: "quiet no-exemplars" }, `No exemplars: ${why}.`));
    return;
  }
  const all = answer.json.buckets.filter((bucket) => bucket.request);
  const near = all.filter((bucket) => bucket.upper_us > cell.lower && bucket.lower_us < cell.upper);
  if (near.length === 0) {
    box.append(el("p", { class: "quiet no-exemplars" }, `No request is kept that took ${range}.`));
    return;
  }
  box.append(
    el("h3", {}, `Requests that took about as long`),
    el("div", { class: "wrap", tabindex: 0 }, el(
      "table", { class: "exemplar" },
      el("thead", {}, el("tr", {}, ...["request", "path", "status", "took", "of the writer"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, ...near.map(({ request }) => exemplar(request))),
    )),
  );
}

function exemplar(request) {
  const commands = (request.commands ?? []).flatMap((command) => [
    `${command.operation} `,
    stack(PHASES.map(([key, title]) => [title, command.phases?.[key] ?? 0])),
  ]);
  return el(
    "tr", {},
    el("th", { scope: "row" }, el("a", { href: `/debug/requests/${encodeURIComponent(request.id)}` }, String(request.id))),
    el("td", {}, request.path ?? ""),
    el("td", { class: "n" }, String(request.status ?? "")),
    el("td", { class: "n" }, time(request.wall_us)),
    el("td", {}, ...commands),
  );
}
