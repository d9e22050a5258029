//! In which form a debug page answers: `?format=` decides, else the Accept header.

use axum::http::{HeaderMap, header};

use super::asked::Refusal;

/// A form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For a browser.
    Html,
    /// For programs.
    Json,
    /// For a terminal.
    Text,
}

/// The form that is wanted; `usual` for whoever takes anything, as curl does.
///
/// # Errors
///
/// A form that there is not.
pub fn asked_format(
    named: Option<&str>,
    headers: &HeaderMap,
    usual: Format,
) -> Result<Format, Refusal> {
    match named {
        Some("html") => Ok(Format::Html),
        Some("json") => Ok(Format::Json),
        Some("text") => Ok(Format::Text),
        Some(other) => {
            let refusal = format!("unknown format '{other}'; it is html, json or text");
            Err(Refusal::bad(refusal))
        }
        None => Ok(accepted(headers).unwrap_or(usual)),
    }
}

/// The form that is named in Accept with the highest weight, the first of equal ones; a
/// wildcard names none.
fn accepted(headers: &HeaderMap) -> Option<Format> {
    let mut best: Option<(Format, f32)> = None;
    let values = headers.get_all(header::ACCEPT).iter();
    for range in values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|all| all.split(','))
    {
        let mut parts = range.split(';').map(str::trim);
        let format = match parts
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
            .as_str()
        {
            "text/html" | "application/xhtml+xml" => Format::Html,
            "application/json" => Format::Json,
            "text/plain" => Format::Text,
            _ => continue,
        };
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        let weight = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
        if weight > best.map_or(0.0, |(_, best)| best) {
            best = Some((format, weight));
        }
    }
    best.map(|(format, _)| format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_pages_and_others_what_they_name() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            accepted(&headers)
        };
        let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert_eq!(of(browser), Some(Format::Html));
        assert_eq!(of("application/json"), Some(Format::Json));
        assert_eq!(of("text/html;q=0.1, application/json"), Some(Format::Json));
        assert_eq!(of("text/plain; charset=utf-8"), Some(Format::Text));
        assert_eq!(of("text/html;q=0"), None);
        assert_eq!(of("text/html;q=x"), None);
        assert_eq!(of("*/*"), None);
        assert_eq!(accepted(&HeaderMap::new()), None);
    }
}
