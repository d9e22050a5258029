// The timings: five tables of one window, and what opens below their rows.

import { PARTS, legend, stack } from "./charts.js";
import { ask, bytes, clock, count, el, figures, follow, id, named, path, percent, rate, time, windows } from "./common.js";
import { detail } from "./detail.js";
import { Table } from "./table.js";

const select = id("window");
const message = id("message");
const window_ = () => select.value;
let covered = 1;

/** The usual columns of a summary that `of` finds in a row. */
function usual(of) {
  const figure = (title, key, help) => ({ title, help, of: (row) => of(row)[key], show: time });
  return [
    { title: "calls", of: (row) => of(row).count, show: count },
    figure("total", "total"), figure("mean", "mean"), figure("p50", "p50"), figure("p90", "p90"),
    figure("p99", "p99"), figure("p99.9", "p99.9"), figure("max", "max"),
  ];
}
const perSecond = (of) => ({ title: "rate", of: (row) => of(row).count / covered, show: rate });
const failed = { title: "failed", help: "since the start", of: (row) => row.failed, show: count };
const opens = (kind, key, parts) => (row) => detail({ kind, name: row[key], parts: parts?.(row), window: window_ });
const own = (row) => row.execute.total + row.begin_cost.total + row.commit_cost.total;

const routeParts = (row) => [["whole", "whole"], ["busy", "busy"], ["read_wait", "read wait"]]
  .filter(([key]) => key === "whole" || row[key].count > 0);
const operationParts = () => [["whole", "whole"], ...PARTS.slice(0, 5).map(([key, title]) => [key, title])];

const tables = {
  routes: new Table(id("routes"), {
    label: "requests", sort: { column: 4, down: true }, open: opens("route", "route", routeParts),
    columns: [
      { title: "route", text: true, of: (row) => row.route },
      perSecond((row) => row.wall), failed, ...usual((row) => row.wall),
      { title: "busy", help: "mean time in which a thread worked on it", of: (row) => row.busy.mean, show: time },
      { title: "read wait", help: "in total, for a read connection", of: (row) => row.read_wait.total, show: time },
    ],
  }),
  operations: new Table(id("operations"), {
    label: "the writer's operations", sort: { column: 1, down: true }, open: opens("command", "operation", operationParts),
    columns: [
      { title: "operation", text: true, of: (row) => row.operation },
      { title: "of the writer", help: "share of the window in which the writer worked for it", of: (row) => own(row) / covered / 1e6, show: percent },
      {
        title: "where its time goes", text: true, of: (row) => row.queue_wait.total / Math.max(1, row.whole.total),
        help: "sorted by the share of queue wait",
        show: (_, row) => stack(PARTS.map(([, title, of]) => [title, of(row)])),
      },
      perSecond((row) => row.whole), failed, ...usual((row) => row.whole),
    ],
  }),
  statements: new Table(id("statements"), {
    label: "SQL statements", sort: { column: 1, down: true }, open: opens("statement", "statement"),
    columns: [
      { title: "statement", text: true, of: (row) => row.statement },
      { title: "share", help: "of the time of all statements", of: (row) => row.share, show: percent },
      { title: "rows", help: "since the start", of: (row) => row.rows, show: count },
      ...usual((row) => row.elapsed),
    ],
  }),
  tasks: new Table(id("tasks"), {
    label: "background tasks", sort: { column: 2, down: true }, open: opens("task", "task"),
    columns: [{ title: "task", text: true, of: (row) => row.task }, ...usual((row) => row.elapsed)],
  }),
  functions: new Table(id("functions"), {
    label: "instrumented functions", sort: { column: 2, down: true }, open: opens("function", "span"),
    empty: "none: they are off (--timing off), or none ran yet",
    columns: [{ title: "function", text: true, of: (row) => row.span }, ...usual((row) => row)],
  }),
};
legend(id("legend"));

async function marks() {
  const { marks: all } = await figures("/debug/timings/marks");
  windows(select, all);
  id("marks").replaceChildren(...all.map((mark) => el(
    "li", { "data-mark": mark.name },
    `${mark.name} (${clock(mark.set_ms)})`,
    el("button", { type: "button", "aria-label": `remove the mark ${mark.name}`, onclick: () => change("DELETE", mark.name) }, "×"),
  )));
}

/** Sets or removes a mark, or says why not. */
async function change(method, name) {
  const target = name === "reset" && method === "POST"
    ? "/debug/timings/reset" : `/debug/timings/marks/${encodeURIComponent(name)}`;
  const answer = await ask(target, method).catch((error) => ({ ok: false, text: error.message }));
  message.textContent = answer.ok ? "" : answer.text || `the server answered ${answer.status}`;
  const mine = name === "reset" ? "reset" : `mark:${name}`;
  await marks().catch((error) => { message.textContent = error.message; });
  if (answer.ok && method === "POST") select.value = mine;
  if (answer.ok && method === "DELETE" && select.value === mine) select.value = "start";
  look();
}

let looks = 0;
windows(select, []);
const look = follow(2000, async () => {
  if (looks++ % 5 === 0) await marks();
  const asked = window_();
  const report = await figures(path("/debug/timings", { format: "json", window: asked }));
  if (asked !== window_()) return;
  covered = Math.max(report.window_s, 0.001);
  const { routes, operations, statements, tasks } = report.phases;
  tables.routes.update(routes);
  tables.operations.update(operations);
  tables.statements.update(statements);
  tables.tasks.update(tasks);
  tables.functions.update(report.spans);
  document.documentElement.dataset.window = asked;
  id("cost").textContent = `The window covers ${time(covered * 1e6)}. The recorder holds ${bytes(report.recorder_bytes)}`
    + `${report.dropped_log_lines > 0 ? `; ${count(report.dropped_log_lines)} log lines were lost` : ""}.`;
  // The address may name one to open, such as `#operations/complete_job`.
  const [table, ...rest] = named().split("/");
  tables[table]?.openNamed(rest.join("/"));
  for (const each of Object.values(tables)) await each.refresh();
});

select.addEventListener("change", () => look());
id("filter").addEventListener("input", (event) => {
  Object.values(tables).forEach((table) => table.only(event.target.value));
});
id("reset").addEventListener("click", () => change("POST", "reset"));
id("mark").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = id("mark-name").value.trim();
  if (name === "") message.textContent = "a mark needs a name";
  else change("POST", name);
});
