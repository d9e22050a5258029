// What all pages need: elements, figures with their units, and asking the server again and
// again without asking twice at a time.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

/** An HTML element; text given as a child is text, never markup. */
export function el(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** The element with this id. */
export const id = (name) => document.getElementById(name);

function digits(value) {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

/** Microseconds in the unit that suits them. */
export function time(us) {
  if (!Number.isFinite(us)) return "";
  if (us === 0) return "0";
  if (us < 1e3) return `${us < 10 ? us.toFixed(1) : us.toFixed(0)} µs`;
  if (us < 1e6) return `${digits(us / 1e3)} ms`;
  if (us < 120e6) return `${digits(us / 1e6)} s`;
  if (us < 7200e6) return `${digits(us / 60e6)} min`;
  return `${digits(us / 3600e6)} h`;
}

/** A number with its thousands apart. */
export function count(number) {
  return Math.round(number).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number that may be a fraction. */
export function number(value) {
  return value >= 100 || Number.isInteger(value) ? count(value) : digits(value);
}

/** So many in a second. */
export function rate(value) {
  return value === 0 ? "0/s" : value < 0.01 ? "<0.01/s" : `${number(value)}/s`;
}

/** Bytes in the unit that suits them. */
export function bytes(value) {
  if (value < 1024) return `${value} B`;
  if (value < 1 << 20) return `${digits(value / 1024)} KiB`;
  return `${digits(value / (1 << 20))} MiB`;
}

/** A share from 0 to 1. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "<0.1 %";
  return `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

/** The clock of a moment in milliseconds since the epoch. */
export function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

/** Asks the server; answers status, text and, if it is JSON, its value. */
export async function ask(path, method = "GET") {
  const answer = await fetch(path, { method, headers: { accept: "application/json" } });
  const text = await answer.text();
  let json = null;
  if ((answer.headers.get("content-type") ?? "").includes("json")) json = JSON.parse(text);
  return { status: answer.status, ok: answer.ok, text: text.trim(), json };
}

/** Asks for JSON; what is refused becomes an error with the server's words. */
export async function figures(path) {
  const answer = await ask(path);
  if (!answer.ok || answer.json === null) {
    throw new Error(answer.text || `the server answered ${answer.status}`);
  }
  return answer.json;
}

/** A path with its query. */
export function path(base, query) {
  return `${base}?${new URLSearchParams(query)}`;
}

/** What the address names after its `#`; nothing if it is garbled. */
export function named() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

/**
 * Calls `look` every so many milliseconds, counted from the end of the last one: however
 * slow the server is, one question is under way. Nothing is asked while nobody looks.
 * Answers a function that looks at once.
 */
export function follow(every, look) {
  const [pause, status] = [id("pause"), id("status")];
  let [timer, busy, again, paused] = [0, false, false, false];

  async function now() {
    clearTimeout(timer);
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    const began = Date.now();
    const slow = setTimeout(() => { status.textContent = "the server takes its time …"; }, 3000);
    try {
      await look();
      const took = Date.now() - began;
      status.textContent = `${clock(Date.now())}${took > 1000 ? `, took ${time(took * 1e3)}` : ""}`;
      status.classList.remove("bad");
    } catch (error) {
      status.textContent = `${clock(Date.now())}: ${error.message}`;
      status.classList.add("bad");
    }
    clearTimeout(slow);
    busy = false;
    if (again) {
      again = false;
      now();
    } else {
      wait();
    }
  }

  function wait() {
    clearTimeout(timer);
    if (!paused && !document.hidden) timer = setTimeout(now, every);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    pause.textContent = paused ? "Go on" : "Pause";
    if (paused) clearTimeout(timer);
    else now();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !paused) now();
  });
  now();
  return now;
}

/** Figures with a title each: `[title, value, remark]`. */
export function tiles(container, list) {
  container.replaceChildren(...list.map(([title, value, remark]) => el(
    "dl", { class: "tile", "data-of": title },
    el("dt", {}, title),
    el("dd", {}, value, el("small", {}, remark ?? "")),
  )));
}

/** Windows to choose from, with the marks that there are. */
export function windows(select, marks) {
  const chosen = select.value || new URLSearchParams(location.search).get("window") || "1m";
  const all = [
    ["10s", "last 10 s"], ["1m", "last minute"], ["5m", "last 5 min"], ["1h", "last hour"],
    ["start", "since the start"], ["reset", "since the reset"],
    ...marks.filter((mark) => mark.name !== "reset")
      .map((mark) => [`mark:${mark.name}`, `since ${mark.name} (${clock(mark.set_ms)})`]),
  ];
  if (!all.some(([value]) => value === chosen)) {
    all.push([chosen, chosen]);
  }
  select.replaceChildren(...all.map(([value, text]) => el("option", { value }, text)));
  select.value = chosen;
}
