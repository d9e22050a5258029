// The writer's board: looked at once a second, and what was seen in the last looks.

import { PARTS, legend, share, stack } from "./charts.js";
import { bytes, count, figures, follow, id, path, percent, tiles, time } from "./common.js";
import { detail } from "./detail.js";
import { Table } from "./table.js";

/** Looks that are remembered. */
const REMEMBERED = 60;

const seen = [];
const held = new Table(id("held"), {
  label: "who held the writer", sort: { column: 1, down: true }, empty: "not looked yet",
  columns: [
    { title: "doing", text: true, of: (row) => row.doing },
    { title: "share of looks", of: (row) => row.share, show: percent },
    { title: "", text: true, of: (row) => row.share, show: share },
  ],
});
const queue = new Table(id("queue"), {
  label: "who waits", empty: "nobody",
  columns: [
    { title: "place", text: true, of: (row) => String(row.place), by: (row) => row.place },
    { title: "operation", text: true, of: (row) => row.operation },
    { title: "request", of: (row) => row.request ?? 0, show: (value) => (value ? String(value) : "none") },
    { title: "waits for", of: (row) => row.waited_us, show: time },
  ],
});
let covered = 60;
const own = (row) => row.execute.total + row.begin_cost.total + row.commit_cost.total;
const used = new Table(id("used"), {
  label: "who used the writer", sort: { column: 1, down: true }, empty: "nobody",
  columns: [
    { title: "operation", text: true, of: (row) => row.operation },
    { title: "of the writer", of: (row) => own(row) / covered / 1e6, show: percent },
    { title: "execute", of: (row) => row.execute.total, show: time },
    { title: "its share of commits", of: (row) => row.commit_cost.total, show: time },
    { title: "calls", of: (row) => row.count, show: count },
    { title: "p99", of: (row) => row.whole.p99, show: time },
    {
      title: "where its time goes", text: true, of: (row) => row.whole.total,
      show: (_, row) => stack(PARTS.map(([, title, of]) => [title, of(row)])),
    },
  ],
});
legend(id("legend"));
const batches = detail({ kind: "task", name: "batch_size", window: () => "5m" });
id("batches").append(batches.element);

function remember(board) {
  seen.push(board.doing?.operation ?? (board.holder.length > 0 ? "begin" : "idle"));
  if (seen.length > REMEMBERED) seen.shift();
  const names = [...new Set(seen)];
  held.update(names.map((doing) => ({
    doing, share: seen.filter((each) => each === doing).length / seen.length,
  })));
}

let looks = 0;
follow(1000, async () => {
  const board = await figures("/debug/writer?format=json");
  const { doing, last_checkpoint: checkpoint } = board;
  const batch = board.holder.map((part) => `${part.count} ${part.operation}`).join(", ");
  tiles(id("now"), [
    ["held by", batch || "nobody", board.batch === undefined ? "" : `batch ${count(board.batch)}`],
    ["for", board.batch === undefined ? "idle" : time(board.held_for_us)],
    ["doing", doing?.operation ?? "nothing", doing ? `for ${time(doing.for_us)}` : ""],
    ["for request", doing?.request === undefined ? "none" : String(doing.request)],
    ["queue", count(board.queued), "wait"],
    ["longest wait", time(board.longest_wait_us)],
  ]);
  remember(board);
  queue.update(board.waiters.map((waiter, n) => ({ place: n + 1, ...waiter })));
  tiles(id("log"), [
    ["log", `${count(board.log_pages)} pages`, bytes(board.log_bytes)],
    ["last checkpoint", checkpoint ? `${time(checkpoint.ago_us)} ago` : "none yet"],
    ["it took", checkpoint ? time(checkpoint.took_us) : "", checkpoint ? `${count(checkpoint.pages)} pages` : ""],
  ]);
  if (looks++ % 5 === 0) {
    const report = await figures(path("/debug/timings", { format: "json", window: "1m" }));
    covered = Math.max(report.window_s, 0.001);
    used.update(report.phases.operations);
    // Nothing is known of batches before the first one.
    if (report.phases.operations.length > 0) await batches.refresh();
  }
});
