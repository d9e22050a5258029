//! "Are you sure?"

use std::io::{self, BufRead, IsTerminal};

use clap::Args;

use super::failure::Failure;
use crate::say::ask;

/// Whether to ask before something that cannot be undone.
#[derive(Debug, Clone, Copy, Args)]
pub struct Confirm {
    /// Do not ask
    #[arg(short = 'y', long = "no-prompts", visible_aliases = ["yes", "force"])]
    pub no_prompts: bool,
}

impl Confirm {
    /// Asks, unless it need not.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the answer is no, or nobody is there to answer.
    pub fn ask(self, question: &str) -> Result<(), Failure> {
        if self.no_prompts {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(
                Failure::new("this needs a confirmation, and there is no terminal")
                    .hint("say --no-prompts to go ahead"),
            );
        }
        ask(format_args!("{question} [y/N] "));
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        match (read, answer.trim().to_ascii_lowercase().as_str()) {
            (Ok(_), "y" | "yes") => Ok(()),
            _ => Err(Failure::new("nothing was changed")),
        }
    }
}
