// The statements: what each costs, and below it its texts, their plans and its curve.

import { count, el, figures, follow, id, named, number, path, percent, time, windows } from "./common.js";
import { detail } from "./detail.js";
import { Table } from "./table.js";

const select = id("window");
const judgement = (row) => (row.scans ? "scans" : row.sorts ? "sorts" : "");
const table = new Table(id("statements-table"), {
  label: "SQL statements", sort: { column: 3, down: true }, open: opened,
  columns: [
    { title: "id", text: true, of: (row) => row.id },
    {
      title: "plan", text: true, of: judgement,
      show: (value) => el("span", { class: value === "scans" ? "flag" : "" }, value === "scans" ? "⚠ scans" : value),
    },
    { title: "calls", of: (row) => row.calls, show: count },
    { title: "share", help: "of the time of all statements", of: (row) => row.share, show: percent },
    { title: "total", of: (row) => row.total_us, show: time },
    { title: "mean", of: (row) => row.mean_us, show: time },
    { title: "p50", of: (row) => row.p50_us, show: time },
    { title: "p99", of: (row) => row.p99_us, show: time },
    { title: "max", of: (row) => row.max_us, show: time },
    { title: "rows", of: (row) => row.rows, show: count },
    { title: "rows/call", of: (row) => row.rows_per_call, show: number },
    { title: "text", text: true, of: (row) => row.texts[0]?.text ?? "", show: (text) => el("div", { class: "text" }, text) },
  ],
});

/** The texts and plans of a row, and its charts. */
function opened(row) {
  const texts = el("div", { class: "texts" });
  const charts = detail({ kind: "statement", name: row.id, window: () => select.value });
  let last = "";
  const show = (now) => {
    const state = JSON.stringify(now.texts);
    if (state === last) return;
    last = state;
    texts.replaceChildren(...now.texts.flatMap(described));
    if (now.texts.length === 0) texts.append(el("p", { class: "quiet" }, "Its text was not kept."));
    if (now.more_texts) texts.append(el("p", { class: "quiet" }, "There were more texts, which are not kept."));
  };
  show(row);
  return { element: el("div", {}, texts, charts.element), refresh: charts.refresh, row: show };
}

function described({ text, plan, scans, trouble }) {
  const steps = plan.map((step) => {
    const scan = scans.find((each) => each.step === step.trim());
    if (!scan) return el("div", {}, step);
    const rows = scan.rows >= 1000 ? "1 000 or more" : count(scan.rows);
    return el("div", { class: "flag" }, `${step}   ⚠ ${rows} rows of ${scan.table}`);
  });
  return [
    el("pre", { class: "sql" }, text),
    el("pre", { class: "plan" }, ...(trouble ? [`no plan: ${trouble}`] : steps.length > 0 ? steps : ["no table is read"])),
  ];
}

function verdict(rows) {
  const scanning = rows.filter((row) => row.scans);
  id("verdict").textContent = scanning.length === 0 ? "" : `${scanning.map((row) => row.id).join(", ")}: `
    + "reads a table from end to end. An index is missing, or SQLite does not use it.";
}

let looks = 0;
windows(select, []);
const look = follow(2000, async () => {
  if (looks++ % 5 === 0) windows(select, (await figures("/debug/timings/marks")).marks);
  const page = await figures(path("/debug/statements", { format: "json", window: select.value }));
  for (const row of page.statements) row.words = [row.id, ...row.texts.map((one) => one.text)].join("\n");
  verdict(page.statements);
  table.update(page.statements.filter((row) => row.scans || !id("only-scans").checked));
  table.openNamed(named());
  await table.refresh();
});
select.addEventListener("change", () => look());
id("only-scans").addEventListener("change", () => look());
id("filter").addEventListener("input", (event) => table.only(event.target.value));
