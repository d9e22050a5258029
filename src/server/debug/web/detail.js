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
  const heat = new HeatMap(async (cell) => {
    const series = { kind, name, part: select.value || "whole" };
    const found = await picked(series, cell, heat.show);
    // A later click may have been answered first.
    if (heat.picked === cell) exemplars.replaceChildren(...found);
  });
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

/** Tells of a cell, and which requests were like it; `show` writes its bounds. */
async function picked({ kind, name, part }, cell, show) {
  const range = `${show(cell.lower)} to ${show(cell.upper)}`;
  const when = `between ${clock(cell.from)} and ${clock(cell.to)}`;
  const told = el("p", { class: "picked-cell" }, `${count(cell.count)} ${when}: ${range}.`);
  // Requests are kept by how long they took in all.
  const by = { route: "route", operation: "operation" }[kind];
  if (!by || part !== "whole") return [told];
  const quiet = (text) => [told, el("p", { class: "quiet no-exemplars" }, text)];
  const answer = await ask(path("/debug/exemplars", { [by]: name })).catch((error) => ({ text: error.message }));
  if (!answer.ok || !Array.isArray(answer.json?.exemplars)) return quiet(`No exemplars: ${answer.text}`);
  const near = answer.json.exemplars.filter((bucket) => (bucket.upper_us ?? Infinity) > cell.lower && bucket.lower_us < cell.upper);
  if (near.length === 0) return quiet(`No request is kept that took ${range}.`);
  return [told,
    el("h3", {}, `Requests that took about as long`),
    el("div", { class: "wrap", tabindex: 0 }, el(
      "table", { class: "exemplar" },
      el("thead", {}, el("tr", {}, ...["request", "path", "status", "took", "of the writer"].map((title) => el("th", { scope: "col" }, title)))),
      el("tbody", {}, ...near.map(({ request }) => exemplar(request))),
    )),
  ];
}

function exemplar(request) {
  const commands = (request.commands ?? []).flatMap((command) => [
    `${command.operation} `,
    stack(PHASES.map(([key, title]) => [title, command[key] ?? 0])),
  ]);
  return el(
    "tr", {},
    el("th", { scope: "row" }, el("a", { href: `/debug/requests/${encodeURIComponent(request.id)}?format=text` }, String(request.id))),
    el("td", {}, request.path ?? ""),
    el("td", { class: "n" }, String(request.status ?? "")),
    el("td", { class: "n" }, time(request.wall_us)),
    el("td", {}, ...commands),
  );
}
