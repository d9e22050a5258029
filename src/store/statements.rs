//! The text of each statement that ran, and how SQLite goes about it.
//!
//! A text is kept at its first use, beside the id under which its time is recorded. What an
//! operation reads under one id may be several texts; eight are kept, and a few megabytes
//! of all. Plans are asked for when somebody looks, on a read connection, one look at a
//! time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::sql::Sql;
use super::{ReadConn, Reads, StoreError};

/// Texts that are kept of one id.
const TEXTS: usize = 8;
/// Bytes of all texts that were made at run time; later ones are only known to exist.
const BYTES: usize = 4 << 20;
/// What one plan may take, and all that one look asks for; it waits as long for a connection.
const ONE_PLAN: Duration = Duration::from_millis(50);
const ALL_PLANS: Duration = Duration::from_secs(2);
/// How long plans, and the sizes of tables, are believed. A changed schema ends it at once; statistics may change
/// without one.
const BELIEVED: Duration = Duration::from_secs(60);
/// A table with fewer rows is read from end to end without regret.
const SMALL: i64 = 200;
/// Rows are counted up to here.
const COUNTED: i64 = 1_000;

/// What the writer showed last, by where it is; two in one place take turns.
static SEEN: [AtomicUsize; 512] = [const { AtomicUsize::new(0) }; 512];

static BOOK: LazyLock<RwLock<Book>> = LazyLock::new(RwLock::default);

#[derive(Default)]
struct Book {
    known: HashMap<&'static str, Texts>,
    bytes: usize,
}

#[derive(Default, Clone)]
struct Texts {
    kept: Vec<Text>,
    more: bool,
}

#[derive(Clone)]
enum Text {
    /// Of the writer: they live as long as the process.
    Constant(&'static str),
    /// Of a read.
    Made(std::sync::Arc<str>),
}

impl Text {
    fn as_str(&self) -> &str {
        match self {
            Self::Constant(text) => text,
            Self::Made(text) => text,
        }
    }

    fn is(&self, text: &str) -> bool {
        // The writer's come back at the same place, and some are long.
        std::ptr::eq(self.as_str(), text) || self.as_str() == text
    }
}

/// Keeps the text of a statement of the writer. Called for each, so it mostly compares one
/// number: where id and text are, which for the writer's is the same each time.
pub(super) fn note(sql: Sql) {
    let id = sql.id.as_ptr().addr().rotate_left(17);
    let place = sql.text.as_ptr().addr().wrapping_add(id);
    let seen = &SEEN[(place >> 3) % SEEN.len()];
    if seen.load(Ordering::Relaxed) == place {
        return;
    }
    if !is_known(sql.id, sql.text) {
        keep(sql.id, Text::Constant(sql.text), 0);
    }
    seen.store(place, Ordering::Relaxed);
}

/// Keeps a text that was read under `id`.
pub(super) fn note_read(id: &'static str, text: &str) {
    if !is_known(id, text) {
        keep(id, Text::Made(text.into()), text.len());
    }
}

/// Whether there is nothing to do for this text: mostly, so it takes no more than a look.
fn is_known(id: &'static str, text: &str) -> bool {
    let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
    let known = book.known.get(id);
    known.is_some_and(|texts| texts.more || texts.kept.iter().any(|kept| kept.is(text)))
}

fn keep(id: &'static str, text: Text, bytes: usize) {
    let mut book = BOOK.write().unwrap_or_else(PoisonError::into_inner);
    let room = book.bytes + bytes <= BYTES;
    let texts = book.known.entry(id).or_default();
    if texts.kept.iter().any(|kept| kept.is(text.as_str())) {
        return;
    }
    if texts.kept.len() >= TEXTS || !room {
        texts.more = true;
        return;
    }
    texts.kept.push(text);
    book.bytes += bytes;
}

/// What is known of the statements under one id.
#[derive(Debug, Clone, Serialize)]
pub struct StatementTexts {
    /// Under which their time is recorded.
    pub id: &'static str,
    /// The texts that ran, at most eight.
    pub texts: Vec<Explained>,
    /// Whether there were more.
    pub more_texts: bool,
}

/// A text and its plan.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// In one line, with long lists of parameters cut short.
    pub text: String,
    /// The steps of its plan, the inner ones indented.
    pub plan: Vec<String>,
    /// Those that read a table from end to end, if it is not a small one.
    pub scans: Vec<Scan>,
    /// Whether it sorts, for want of an index in the order that it asks for.
    pub sorts: bool,
    /// Why there is no plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

/// A step that reads a table from end to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Scan {
    /// The step, as SQLite says it.
    pub step: String,
    /// The table; empty if the step names none that is known.
    pub table: String,
    /// Its rows, counted up to 1,000.
    pub rows: i64,
}

/// Plans by the id and the number of the text under it.
#[derive(Default)]
pub(super) struct Plans {
    schema: i64,
    asked: Option<Instant>,
    tables: Tables,
    known: HashMap<(&'static str, usize), Vec<String>>,
}

/// What the plans are judged by.
#[derive(Default)]
struct Tables {
    rows: HashMap<String, i64>,
    partial_indexes: Vec<String>,
}

/// All statements that ran, each with the plans of its texts; in the order of their ids.
///
/// # Errors
///
/// A store that is closed, and what the database says.
pub async fn explained(reads: &Reads) -> Result<Vec<StatementTexts>, StoreError> {
    let mut known: Vec<(&'static str, Texts)> = {
        let book = BOOK.read().unwrap_or_else(PoisonError::into_inner);
        let known = book.known.iter();
        known.map(|(id, texts)| (*id, texts.clone())).collect()
    };
    known.sort_unstable_by_key(|(id, _)| *id);
    // Looks wait for each other here, before they take a connection.
    let mut plans = reads.plans().lock().await;
    // When all are lent for long, the figures without the plans are what one wants to see.
    let free = tokio::time::timeout(ALL_PLANS, reads.get("explain_statements"));
    let conn = free.await.ok().transpose()?;
    let end = Instant::now() + ALL_PLANS;
    if let Some(conn) = &conn {
        let schema = conn.numbers("PRAGMA schema_version").await?;
        let schema = schema.first().copied().unwrap_or_default();
        let old = plans.asked.is_none_or(|asked| asked.elapsed() > BELIEVED);
        if old || plans.schema != schema {
            *plans = Plans {
                schema,
                asked: Some(Instant::now()),
                tables: tables(conn).await?,
                known: HashMap::new(),
            };
        }
    }
    let mut all = Vec::with_capacity(known.len());
    for (id, texts) in known {
        let mut explained = Vec::with_capacity(texts.kept.len());
        for (n, text) in texts.kept.iter().enumerate() {
            let steps = match (plans.known.get(&(id, n)), &conn) {
                (Some(steps), _) => Ok(steps.clone()),
                (None, None) => Err("no read connection was free".to_owned()),
                (None, Some(_)) if Instant::now() >= end => {
                    Err("no time was left for its plan".to_owned())
                }
                (None, Some(conn)) => {
                    let steps = plan(conn, text.as_str()).await;
                    // What could not be had now may be had at the next look.
                    if let Ok(steps) = &steps {
                        plans.known.insert((id, n), steps.clone());
                    }
                    steps
                }
            };
            explained.push(judged(text.as_str(), steps, &plans.tables));
        }
        all.push(StatementTexts {
            id,
            texts: explained,
            more_texts: texts.more,
        });
    }
    Ok(all)
}

async fn plan(conn: &ReadConn, text: &str) -> Result<Vec<String>, String> {
    match tokio::time::timeout(ONE_PLAN, conn.plan(text)).await {
        Ok(Ok(steps)) => Ok(steps),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_elapsed) => Err(format!("no plan within {} ms", ONE_PLAN.as_millis())),
    }
}

async fn tables(conn: &ReadConn) -> Result<Tables, StoreError> {
    let named = "SELECT name FROM sqlite_schema WHERE type = 'table'";
    let mut rows = HashMap::new();
    for table in conn.words(named).await? {
        let quoted = table.replace('"', "\"\"");
        let count = format!("SELECT count(*) FROM (SELECT 1 FROM \"{quoted}\" LIMIT {COUNTED})");
        let counted = conn.numbers(&count).await?;
        rows.insert(table, counted.first().copied().unwrap_or_default());
    }
    let partial = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%WHERE%' \
         AND sql NOT LIKE '%<>%' AND sql NOT LIKE '%IS NOT NULL%'";
    Ok(Tables {
        rows,
        partial_indexes: conn.words(partial).await?,
    })
}

fn judged(text: &str, steps: Result<Vec<String>, String>, tables: &Tables) -> Explained {
    let (plan, trouble) = match steps {
        Ok(steps) => (steps, None),
        Err(trouble) => (Vec::new(), Some(trouble)),
    };
    let sorts = plan.iter().any(|step| step.contains("USE TEMP B-TREE"));
    // A page of everything ends at its limit.
    let line = normalised(text);
    let upper = line.to_ascii_uppercase();
    let ends = upper.contains(" LIMIT ") && !upper.contains(" WHERE ") && !sorts;
    let scans = plan.iter().filter_map(|step| scan(step, text, tables));
    let scans = if ends { Vec::new() } else { scans.collect() };
    Explained {
        text: line,
        scans,
        sorts,
        plan,
        trouble,
    }
}

/// Whether a step reads a table that is not small from end to end. Reading all of a partial
/// index is none: it holds only what is looked for, unless its condition says what it leaves
/// out.
fn scan(step: &str, text: &str, tables: &Tables) -> Option<Scan> {
    let rest = step.trim_start().strip_prefix("SCAN ")?;
    let mut words = rest.split_whitespace();
    let name = words.next()?;
    if name.starts_with('(') || name == "CONSTANT" || rest.contains("VIRTUAL TABLE") {
        return None;
    }
    let index = rest.split_once("INDEX ").map(|(_, index)| index.trim());
    if index.is_some_and(|index| tables.partial_indexes.iter().any(|each| each == index)) {
        return None;
    }
    let table = table_of(name, text, tables)?;
    let rows = tables.rows.get(&table).copied().unwrap_or_default();
    (rows >= SMALL).then(|| Scan {
        step: step.trim_start().to_owned(),
        table,
        rows,
    })
}

/// The table that a plan calls `name`, which may be its alias in the text. What the text
/// builds for itself, such as a common table expression, is none.
fn table_of(name: &str, text: &str, tables: &Tables) -> Option<String> {
    if tables.rows.contains_key(name) {
        return Some(name.to_owned());
    }
    let bare = |word: &str| {
        let trimmed = word.trim_matches(|c: char| matches!(c, '"' | ',' | '(' | ')' | '`'));
        trimmed.to_owned()
    };
    let words: Vec<String> = text.split_whitespace().map(bare).collect();
    let known = |at: usize| {
        tables
            .rows
            .contains_key(&words[at])
            .then(|| words[at].clone())
    };
    (1..words.len())
        .filter(|&at| words[at] == name)
        .find_map(|at| match words[at - 1].to_ascii_uppercase().as_str() {
            "AS" if at >= 2 => known(at - 2),
            _ => known(at - 1),
        })
}

/// A text in one line, without its quotes, and `(?, ?, ?, ?)` as `(?, …)`.
fn normalised(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ").replace('"', "");
    let mut out = String::with_capacity(line.len());
    let mut rest = line.as_str();
    while let Some(at) = rest.find("(?") {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.find(')').map_or(rest.len(), |end| end + 1);
        let list = &rest[..end];
        let parameters = |c: char| matches!(c, '(' | ')' | '?' | ',' | ' ') || c.is_ascii_digit();
        if list.matches('?').count() > 3 && list.chars().all(parameters) {
            out.push_str("(?, …)");
        } else {
            out.push_str(list);
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    // Many rows of one shape are one shape.
    let mut shorter = out.replace("(?, …), (?, …)", "(?, …)");
    while shorter.len() < out.len() {
        out = shorter;
        shorter = out.replace("(?, …), (?, …)", "(?, …)");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tables() -> Tables {
        Tables {
            rows: HashMap::from([("job".to_owned(), 500), ("workflow".to_owned(), 3)]),
            partial_indexes: vec!["job_ready".to_owned()],
        }
    }

    fn scans(text: &str, step: &str) -> Vec<String> {
        let explained = judged(text, Ok(vec![step.to_owned()]), &tables());
        explained.scans.into_iter().map(|scan| scan.table).collect()
    }

    #[test]
    fn a_scan_is_one_of_a_table_that_is_not_small() {
        let text = "SELECT * FROM \"job\" WHERE name = ?";
        assert_eq!(scans(text, "SCAN job"), ["job"]);
        assert_eq!(scans(text, "  SCAN job USING INDEX job_name"), ["job"]);
        let none: [&str; 0] = [];
        for step in [
            "SEARCH job USING INDEX job_ready (workflow_id=?)",
            "SCAN job USING COVERING INDEX job_ready",
            "SCAN workflow",
            "SCAN CONSTANT ROW",
            "SCAN (subquery-2)",
            "SCAN json_each VIRTUAL TABLE INDEX 1:",
        ] {
            assert_eq!(scans(text, step), none, "{step}");
        }
        // By another name, and not a thing that the text made up.
        let text = "WITH w AS (SELECT 1) SELECT * FROM job AS j, w, \"workflow\" f WHERE j.id = 1";
        assert_eq!(scans(text, "SCAN j"), ["job"]);
        assert_eq!(scans(text, "SCAN w"), none);
        assert_eq!(scans(text, "SCAN f"), none);
        // A page of everything reads its page.
        assert_eq!(scans("SELECT id FROM job\n LIMIT ?", "SCAN job"), none);
    }

    #[test]
    fn texts_are_one_line_and_short() {
        let made = normalised("SELECT  \"a\"\n FROM t WHERE id IN (?, ?, ?, ?, ?) AND b = (?)");
        assert_eq!(made, "SELECT a FROM t WHERE id IN (?, …) AND b = (?)");
        let rows = normalised("INSERT INTO t VALUES (?, ?, ?, ?), (?, ?, ?, ?), (?, ?, ?, ?)");
        assert_eq!(rows, "INSERT INTO t VALUES (?, …)");
        assert_eq!(normalised("f(?1, x) (?"), "f(?1, x) (?");
    }

    #[test]
    fn eight_texts_are_kept_of_an_id() {
        for n in 0..TEXTS + 4 {
            note_read("statements_test.many", &format!("SELECT {n}"));
            note_read("statements_test.many", "SELECT 0");
        }
        for _ in 0..2 {
            note(Sql::new("statements_test.one", "SELECT 1"));
        }
        let book = BOOK.read().unwrap();
        let many = &book.known["statements_test.many"];
        assert_eq!((many.kept.len(), many.more), (TEXTS, true));
        let one = &book.known["statements_test.one"];
        assert_eq!((one.kept.len(), one.more), (1, false));
        assert!(book.bytes < BYTES);
    }
}
