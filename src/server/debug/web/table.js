// A table that is sorted by any column, filtered, and brought up to date in place: rows keep
// their elements, so focus, selection and what is open stay.

import { el } from "./common.js";

export class Table {
  /**
   * `columns`: title, `of` (row to number or text), `show` (value and row to text or
   * element), `by` to sort by something else, `text` for a column of words, `help`. The first names the row. `open` makes
   * what is shown below a row that is clicked: `{element, refresh()}`.
   */
  constructor(container, { columns, sort, open, label, empty }) {
    Object.assign(this, { columns, open, empty: empty ?? "nothing in this window" });
    this.sort = sort ?? { column: 0, down: false };
    this.rows = [];
    this.filter = "";
    this.known = new Map();
    this.opened = new Map();
    this.heads = columns.map((column, n) => el(
      "th", { scope: "col", class: column.text ? "" : "n", title: column.help },
      el("button", { type: "button", onclick: () => this.sortBy(n) }, column.title),
    ));
    this.body = el("tbody");
    this.nothing = el("p", { class: "empty" }, this.empty);
    this.table = el("table", {}, el("thead", {}, el("tr", {}, ...this.heads)), this.body);
    container.append(el(
      "div", { class: "wrap", tabindex: 0, role: "region", "aria-label": label },
      this.table, this.nothing,
    ));
    this.draw();
  }

  sortBy(column) {
    const down = this.sort.column === column ? !this.sort.down : !this.columns[column].text;
    this.sort = { column, down };
    this.draw();
  }

  /** Shows only rows whose words hold this text, whatever its case. */
  only(filter) {
    this.filter = filter.trim().toLowerCase();
    this.draw();
  }

  update(rows) {
    this.rows = rows;
    this.draw();
  }

  /** Brings what is open up to date, one after the other. */
  async refresh() {
    for (const { panel, line } of this.opened.values()) {
      if (line.isConnected) await panel.refresh();
    }
  }

  sorted() {
    const { column, down } = this.sort;
    const of = this.columns[column].by ?? this.columns[column].of;
    const words = (row) => (row.words ?? this.columns[0].of(row)).toLowerCase();
    const rows = this.rows.filter((row) => words(row).includes(this.filter));
    const compare = (a, b) => (typeof a === "string" ? a.localeCompare(b) : a - b);
    rows.sort((a, b) => (down ? -1 : 1) * compare(of(a), of(b))
      || this.columns[0].of(a).localeCompare(this.columns[0].of(b)));
    return rows;
  }

  draw() {
    this.heads.forEach((head, n) => {
      const mine = n === this.sort.column;
      head.setAttribute("aria-sort", mine ? (this.sort.down ? "descending" : "ascending") : "none");
    });
    const lines = [];
    for (const row of this.sorted()) {
      const line = this.line(row);
      lines.push(line);
      const opened = this.opened.get(line.dataset.name);
      if (opened) lines.push(opened.line);
    }
    this.nothing.hidden = lines.length > 0;
    this.nothing.textContent = this.filter && this.rows.length > 0 ? "no name holds that" : this.empty;
    const now = this.body.children;
    if (lines.length === now.length && lines.every((line, n) => line === now[n])) return;
    const focused = document.activeElement;
    this.body.replaceChildren(...lines);
    if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  }

  /** The line of a row, made or brought up to date. */
  line(row) {
    const name = this.columns[0].of(row);
    let line = this.known.get(name);
    if (!line) {
      line = el("tr", { class: this.open ? "row" : "", "data-name": name });
      const first = this.open
        ? el("button", { type: "button", class: "open", "aria-expanded": "false" }, name)
        : name;
      line.append(el("th", { scope: "row" }, first));
      line.append(...this.columns.slice(1).map((column) => el("td", { class: column.text ? "" : "n" })));
      if (this.open) {
        line.addEventListener("click", (event) => {
          if (!event.target.closest("a")) this.toggle(name);
        });
      }
      this.known.set(name, line);
    }
    this.columns.slice(1).forEach((column, n) => {
      const cell = line.children[n + 1];
      const value = column.of(row);
      const shown = column.show ? column.show(value, row) : value;
      cell.dataset.value = value;
      if (shown instanceof Node) cell.replaceChildren(shown);
      else if (cell.textContent !== String(shown)) cell.textContent = shown;
    });
    this.opened.get(name)?.panel.row?.(row);
    return line;
  }

  /** Opens the row that the address names after `#`, once there is one. */
  openNamed(name) {
    if (this.wasOpened || !this.known.has(name)) return;
    this.wasOpened = true;
    this.toggle(name);
    this.known.get(name).scrollIntoView();
  }

  /** Opens or closes what is below a row. */
  toggle(name) {
    const line = this.known.get(name);
    const row = this.rows.find((each) => this.columns[0].of(each) === name);
    if (!line || !row) return;
    const button = line.querySelector(".open");
    if (this.opened.has(name)) {
      this.opened.delete(name);
      button.setAttribute("aria-expanded", "false");
      this.draw();
      return;
    }
    const panel = this.open(row);
    const below = el(
      "tr", { class: "detail", "data-detail": name },
      el("td", { colspan: this.columns.length }, el("div", { class: "panel" }, panel.element)),
    );
    this.opened.set(name, { panel, line: below });
    button.setAttribute("aria-expanded", "true");
    this.draw();
    panel.refresh();
  }
}
