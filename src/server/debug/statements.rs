//! `/debug/statements`: what each SQL statement costs, how it reads, and how SQLite goes
//! about it.

use std::fmt::Write;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::asked::{Refusal, present};
use super::format::{Format, asked_format};
use super::{Telemetry, timings, web};
use crate::engine::Engine;
use crate::engine::statements::{Explained, StatementTexts};
use crate::server::error::ApiError;

/// The page. It asks the engine as well as telemetry.
pub fn routes(telemetry: Telemetry) -> Router<Engine> {
    Router::new().route(
        "/debug/statements",
        get(
            move |State(engine): State<Engine>, Query(asked): Query<Asked>, headers: HeaderMap| {
                statements(engine, telemetry.clone(), asked, headers)
            },
        ),
    )
}

#[derive(Deserialize)]
struct Asked {
    format: Option<String>,
    window: Option<String>,
}

/// All statements of a window.
#[derive(Serialize)]
struct Page {
    window: String,
    /// Seconds that it covers.
    window_s: f64,
    /// The one with the largest total first.
    statements: Vec<Row>,
}

/// A statement, its figures in the window and its texts since the start.
#[derive(Serialize)]
struct Row {
    id: String,
    calls: u64,
    /// Since the start.
    rows: u64,
    /// Since the start.
    rows_per_call: f64,
    total_us: f64,
    mean_us: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
    /// Of the time of all statements in the window, from 0 to 1.
    share: f64,
    /// Whether a plan of it reads a table that is not small from end to end.
    scans: bool,
    /// Whether a plan of it sorts what it found.
    sorts: bool,
    texts: Vec<Explained>,
    more_texts: bool,
}

/// As JSON, with `?format=text` as a table, in a browser as a page; `?window=` as for the
/// timings.
async fn statements(
    engine: Engine,
    telemetry: Telemetry,
    asked: Asked,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let format = asked_format(asked.format.as_deref(), &headers, Format::Json)?;
    if format == Format::Html {
        return Ok(web::page("statements"));
    }
    let report = timings::report(present(telemetry)?, asked.window).await?;
    let mut texts = match engine.statement_texts().await {
        Ok(texts) => texts,
        Err(error) => return Ok(ApiError::from(error).into_response()),
    };
    let statements = report.phases.statements.into_iter().map(|one| {
        let at = texts.iter().position(|texts| texts.id == one.statement);
        let texts = at.map(|at| texts.swap_remove(at));
        let (texts, more_texts) = match texts {
            Some(StatementTexts {
                texts, more_texts, ..
            }) => (texts, more_texts),
            None => (Vec::new(), false),
        };
        Row {
            id: one.statement,
            calls: one.elapsed.count,
            rows: one.rows,
            rows_per_call: one.rows_per_call,
            total_us: one.elapsed.total,
            mean_us: one.elapsed.mean,
            p50_us: one.elapsed.p50,
            p99_us: one.elapsed.p99,
            max_us: one.elapsed.max,
            share: one.share,
            scans: texts.iter().any(|text| !text.scans.is_empty()),
            sorts: texts.iter().any(|text| text.sorts),
            texts,
            more_texts,
        }
    });
    let page = Page {
        statements: statements.collect(),
        window: report.window,
        window_s: report.window_s,
    };
    Ok(match format {
        Format::Text => page.text().into_response(),
        _ => Json(page).into_response(),
    })
}

impl Page {
    fn text(&self) -> String {
        let mut out = format!(
            "SQL statements, window {} ({:.0} s); times in µs\n{:<34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>6}  plan\n",
            self.window, self.window_s, "id", "calls", "rows/call", "mean", "p50", "p99", "share"
        );
        for row in &self.statements {
            let plan = match (row.scans, row.sorts) {
                (true, _) => "SCANS",
                (false, true) => "sorts",
                (false, false) => "",
            };
            let line = format!(
                "{:<34} {:>9} {:>9.1} {:>9.0} {:>9.0} {:>9.0} {:>5.1}%  {plan}",
                row.id,
                row.calls,
                row.rows_per_call,
                row.mean_us,
                row.p50_us,
                row.p99_us,
                row.share * 100.0,
            );
            out.push_str(line.trim_end());
            out.push('\n');
        }
        for row in self.statements.iter().filter(|row| !row.texts.is_empty()) {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "\n{}", row.id);
            for text in &row.texts {
                let _ = writeln!(out, "  {}", text.text);
                for step in &text.plan {
                    let scan = text
                        .scans
                        .iter()
                        .find(|scan| scan.step == step.trim_start());
                    let _ = match scan {
                        Some(scan) => {
                            writeln!(out, "    {step}   <- scans {} rows", rows(scan.rows))
                        }
                        None => writeln!(out, "    {step}"),
                    };
                }
                if let Some(trouble) = &text.trouble {
                    let _ = writeln!(out, "    no plan: {trouble}");
                }
            }
            if row.more_texts {
                out.push_str("  and more texts, which are not kept\n");
            }
        }
        out
    }
}

/// Rows are counted up to a thousand.
fn rows(rows: i64) -> String {
    if rows >= 1_000 {
        "1000 or more".to_owned()
    } else {
        rows.to_string()
    }
}
