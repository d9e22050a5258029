//! What the program itself has to say while it works, on standard error.

use std::io;

use tracing_subscriber::EnvFilter;

use super::failure::Failure;
use crate::say::{Stderr, shows_colors};

/// Shows messages of this level, or as a filter in the manner of `RUST_LOG` says.
///
/// # Errors
///
/// [`Failure`] if it is neither a level nor a filter.
pub fn init(level: &str) -> Result<(), Failure> {
    let words = ["off", "error", "warn", "info", "debug", "trace"];
    // A bare word means this program; its libraries stay quiet.
    let filter = if words.contains(&level.to_ascii_lowercase().as_str()) && level != "off" {
        EnvFilter::try_new(format!("warn,torc_server={level}"))
    } else {
        EnvFilter::try_new(level)
    };
    let filter = filter.map_err(|error| {
        Failure::usage(format!(
            "'{level}' is neither a log level nor a filter: {error}"
        ))
        .hint(format!("a level is one of {}", words.join(", ")))
    })?;
    // Should another subscriber be there already, as in a test, that one goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Stderr)
        .with_ansi(shows_colors(&io::stderr()))
        .try_init();
    Ok(())
}
