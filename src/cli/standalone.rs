//! `--standalone`: a server of one's own, in this process and for one command.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

use super::failure::Failure;
use crate::say::say;
use crate::server::{self, RunningServer, ServerConfig};
use crate::wire::BASE_PATH;

/// Where the database of a standalone server lies unless the command line says otherwise.
const DATABASE: &str = "torc_output/torc.db";

/// Whether to start a server.
#[derive(Debug, Clone, Default, Args)]
pub struct StandaloneArgs {
    /// Start a server within this command instead of using the one at --url
    #[arg(short, long)]
    pub standalone: bool,
    /// Its database; `torc_output/torc.db` when absent
    #[arg(long, value_name = "PATH")]
    pub db: Option<PathBuf>,
}

impl StandaloneArgs {
    /// What was said before the command's name and after it, together.
    pub fn or(self, other: Self) -> Self {
        Self {
            standalone: self.standalone || other.standalone,
            db: self.db.or(other.db),
        }
    }

    /// Starts the server, if one is wanted.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it cannot start, or only its database was named.
    pub async fn start(self) -> Result<Option<Standalone>, Failure> {
        match (self.standalone, self.db) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(Failure::usage(
                "--db names the database of a standalone server",
            )
            .hint("add --standalone, or leave --db out")),
            (true, database) => {
                let database = database.unwrap_or_else(|| DATABASE.into());
                Standalone::start(&database).await.map(Some)
            }
        }
    }
}

/// A server within this process.
pub struct Standalone {
    server: RunningServer,
    /// Heard and ignored: without a handler the signal would end the process, and it is
    /// one that people send to torc servers.
    _sigusr1: Signal,
}

/// How long the server may take to end.
const CLOSE: Duration = Duration::from_secs(10);

impl Standalone {
    async fn start(database: &Path) -> Result<Self, Failure> {
        if let Some(directory) = database.parent() {
            std::fs::create_dir_all(directory).map_err(|error| {
                let directory = directory.display();
                Failure::new(format!("cannot make the directory {directory}: {error}"))
                    .hint("name another database with --db")
            })?;
        }
        let sigusr1 = signal(SignalKind::user_defined1())
            .map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
        // Loopback alone, on any free port: nobody else is meant to find it.
        let config = ServerConfig {
            database: Some(database.to_owned()),
            ..ServerConfig::default()
        };
        let server = server::start(config, None).await.map_err(|error| {
            Failure::new(format!("cannot start a standalone server: {error}"))
                .hint("name another database with --db")
        })?;
        let standalone = Self {
            server,
            _sigusr1: sigusr1,
        };
        say(format_args!(
            "Started standalone torc-server on {} (db: {})",
            standalone.url(),
            database.display()
        ));
        Ok(standalone)
    }

    /// Where it answers.
    pub fn url(&self) -> String {
        format!("http://{}{BASE_PATH}", self.server.address())
    }

    /// Stops it; what was acknowledged is in its database.
    pub async fn stop(self) {
        if timeout(CLOSE, self.server.stop()).await.is_err() {
            say("warning: the standalone server did not end in time");
        }
    }
}
