// The figures of the index, every two seconds.

import { bytes, count, figures, follow, id, percent, rate, tiles, time } from "./common.js";

follow(2000, async () => {
  const { now } = await figures("/debug/?format=json");
  if (!now) return;
  tiles(id("now"), [
    ["up for", time(now.uptime_s * 1e6)],
    ["requests", rate(now.requests_per_s), `${count(now.requests_open)} open`],
    ["writer busy", percent(now.writer_busy_share), `of the last ${time(now.window_s * 1e6)}`],
    ["queue", count(now.queue_depth), "wait for the writer"],
    ["recorder", bytes(now.recorder_bytes)],
    ["cost of a record", `${now.record_ns.toFixed(0)} ns`],
  ]);
});
