//! What flags and environment say, as plain values.

pub mod access;
pub mod export;
pub mod htpasswd;
pub mod otlp;
pub mod slow;
pub mod telemetry;
pub mod tls;
mod told;

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

/// The command line of `torc-server`.
#[derive(Debug, Parser)]
#[command(
    name = "torc-server",
    version,
    about = "Runs large computational workflows, on a server that you can see inside of",
    after_help = "In the background it is run by systemd: docs/torc-server.service is a unit \
                  (--daemon and service, which Torc has, are refused with exit code 2).\n\
                  Exit codes: 0 stopped as asked, 1 could not start or run, 2 wrong usage.\n\
                  Signals: SIGINT and SIGTERM drain and stop, a second one ends at once; \
                  SIGUSR1 dumps the timing histograms, and copies the database if \
                  --snapshot-path is given or it is in memory; SIGHUP has the certificate and \
                  the users read again."
)]
pub struct Cli {
    /// What to do; `run` when left out.
    #[command(subcommand)]
    pub command: Option<Command>,
}

impl Cli {
    /// Reads the process's arguments and environment; a mistake ends the process, with
    /// advice.
    pub fn read() -> Self {
        let read = command().try_get_matches();
        match read.and_then(|mut matches| Self::from_arg_matches_mut(&mut matches)) {
            Ok(cli) => match cli
                .command
                .as_ref()
                .and_then(Command::for_a_service_manager)
            {
                Some(what) => no_daemon(what).exit(),
                None => cli,
            },
            Err(error) => error.format(&mut command()).exit(),
        }
    }
}

/// What is said to those who want the server to put itself into the background.
fn no_daemon(what: &str) -> clap::Error {
    let text = format!(
        "{what}: the server does not put itself into the background, as a service manager does \
         that better; docs/torc-server.service is a unit for systemd, and docs/deployment.md \
         says how to install it"
    );
    command().error(clap::error::ErrorKind::InvalidSubcommand, text)
}

/// The command line, where a variable that is set but empty counts as not set, as in
/// shells and unit files that cannot unset.
fn command() -> clap::Command {
    without_empty_variables(Cli::command())
}

fn without_empty_variables(command: clap::Command) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    command
        .mut_args(|arg| match arg.get_env() {
            Some(name) if is_empty(name) => arg.env(None::<&'static str>),
            _ => arg,
        })
        .mut_subcommands(without_empty_variables)
}

/// What `torc-server` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    Run(Box<RunArgs>),
    /// Manage the file of users that --auth-file names.
    #[command(
        subcommand,
        after_help = "A running server reads the file again on SIGHUP or POST /admin/reload-auth.\n\
                      Exit codes: 0 done, or the password is right; 1 it could not be done, \
                      there is no such user, or the password is wrong; 2 wrong usage, a name or \
                      a password that is no good among it."
    )]
    Htpasswd(htpasswd::HtpasswdCommand),
    /// Copy a database, or some of its workflows, into a file of its own.
    #[command(
        after_help = "Ids stay as they are. Access groups are left out unless they are asked for, and \
                      the log of admins' SQL unless everything is copied.\n\
                      Exit codes: 0 done, 1 it could not be done, 2 wrong usage."
    )]
    Export(export::ExportArgs),
    /// Left to a service manager.
    #[command(hide = true, disable_help_flag = true)]
    Service {
        /// Whatever Torc takes here.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<OsString>,
    },
}

impl Command {
    /// What Torc does as a service and this server leaves to a service manager.
    fn for_a_service_manager(&self) -> Option<&'static str> {
        match self {
            Self::Service { .. } => Some("service"),
            Self::Run(args) if args.daemon => Some("--daemon"),
            Self::Run(args) if args.pid_file.is_some() => Some("--pid-file"),
            _ => None,
        }
    }
}

/// What an acknowledged write survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Durability {
    /// The loss of power: every commit waits for the disk.
    Power,
    /// The end of the process; the last moments may go with the power.
    Process,
}

/// The flags of `torc-server run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Name or address to listen on
    #[arg(short = 'H', long, visible_aliases = ["url"], short_alias = 'u', default_value = "0.0.0.0")]
    pub host: String,

    /// Port to listen on; 0 takes any free one
    #[arg(short, long, default_value_t = 8080)]
    pub port: u16,

    /// Worker threads [default: one for each CPU, at most 8]
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,

    /// Database file, made if it is missing; `:memory:` for one that ends with the server
    /// [default: DATABASE_URL, else torc-server.db]
    #[arg(short, long, value_name = "PATH")]
    pub database: Option<String>,

    /// What an acknowledged write survives
    #[arg(long, value_enum, default_value_t = Durability::Power)]
    pub durability: Durability,

    /// Writes that may wait; more are answered 503
    #[arg(long, value_name = "N", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub write_queue: u32,

    /// Seconds between sweeps for endings that another program wrote down; ours need none
    #[arg(
        short = 'c', long, value_name = "SECONDS", default_value = "30",
        env = "TORC_COMPLETION_CHECK_INTERVAL_SECS", value_parser = seconds
    )]
    pub completion_check_interval_secs: Duration,

    /// Stop when standard input ends, for programs that start a server of their own
    #[arg(long, hide = true)]
    pub shutdown_on_stdin_eof: bool,

    /// Left to a service manager
    #[arg(long, hide = true)]
    pub daemon: bool,

    /// Left to a service manager
    #[arg(long, hide = true, value_name = "PATH")]
    pub pid_file: Option<PathBuf>,

    /// MiB of a bulk request at most
    #[arg(
        long, value_name = "MIB", default_value_t = 200, env = "TORC_MAX_REQUEST_BODY_MB",
        value_parser = clap::value_parser!(u32).range(1..=16_384)
    )]
    pub max_request_body_mb: u32,

    /// Bytes of a body that the stream of requests shows to admins
    #[arg(
        long,
        value_name = "N",
        default_value_t = 8192,
        env = "TORC_API_EVENT_BODY_MAX_BYTES"
    )]
    pub api_event_body_max_bytes: u32,

    /// Where SIGUSR1 puts a copy of the database, besides dumping the timings; a line
    /// TORC_SNAPSHOT_DONE=PATH on standard output follows
    /// [default: none, or torc-server-snapshot.db for a database in memory]
    #[arg(long, value_name = "PATH", env = "TORC_SERVER_SNAPSHOT_PATH")]
    pub snapshot_path: Option<PathBuf>,

    /// Copies of the database to keep, at least 1: the older ones as PATH.1, PATH.2 and so on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        env = "TORC_SERVER_SNAPSHOT_KEEP"
    )]
    pub snapshot_keep: u16,

    /// Who may ask.
    #[command(flatten)]
    pub access: access::AccessArgs,

    /// Certificate and key.
    #[command(flatten)]
    pub tls: tls::TlsArgs,

    /// What the server shows of itself.
    #[command(flatten)]
    pub telemetry: telemetry::TelemetryArgs,
}

/// The file used when nothing names one.
pub const DEFAULT_DATABASE: &str = "torc-server.db";

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text
        .parse()
        .map_err(|_| format!("'{text}' is no number of seconds"))?;
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|interval| !interval.is_zero())
        .ok_or_else(|| format!("'{text}' is no positive number of seconds"))
}

impl RunArgs {
    /// The arguments as they are when no flag is given; the environment still counts.
    ///
    /// # Errors
    ///
    /// A malformed environment variable.
    pub fn defaults() -> Result<Self, clap::Error> {
        let line: [OsString; 2] = ["torc-server".into(), "run".into()];
        let mut matches = command().try_get_matches_from(line)?;
        match Cli::from_arg_matches_mut(&mut matches)?.command {
            Some(Command::Run(run)) => Ok(*run),
            _ => Err(clap::Error::new(clap::error::ErrorKind::MissingSubcommand)),
        }
    }

    /// The database file, `None` for one in memory.
    ///
    /// # Errors
    ///
    /// A `DATABASE_URL` that is not SQLite's.
    pub fn database_path(&self) -> Result<Option<PathBuf>, String> {
        database_path(self.database.as_deref())
    }

    /// Worker threads of the runtime.
    pub fn worker_threads(&self) -> usize {
        let cpus = || {
            std::thread::available_parallelism()
                .map_or(1, usize::from)
                .min(8)
        };
        self.threads.map_or_else(cpus, usize::from)
    }
}

/// The database that `given` names, or else the environment; `None` for one in memory.
///
/// # Errors
///
/// A `DATABASE_URL` that is not SQLite's, an empty path.
pub fn database_path(given: Option<&str>) -> Result<Option<PathBuf>, String> {
    let given = match given {
        Some("") => {
            return Err("--database names no file; leave it out for torc-server.db".to_owned());
        }
        Some(path) => path.to_owned(),
        None => match std::env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => path_of_url(&url)?,
            _ => DEFAULT_DATABASE.to_owned(),
        },
    };
    Ok((given != ":memory:").then(|| PathBuf::from(given)))
}

/// The file of a `sqlite:` URL; its parameters mean nothing here.
fn path_of_url(url: &str) -> Result<String, String> {
    if url == ":memory:" {
        return Ok(url.to_owned());
    }
    let Some(rest) = url.strip_prefix("sqlite:") else {
        return Err(format!(
            "DATABASE_URL '{url}' is not for SQLite; it looks like sqlite:PATH"
        ));
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    if path == ":memory:" || parameters.split('&').any(|p| p == "mode=memory") {
        return Ok(":memory:".to_owned());
    }
    if path.is_empty() {
        return Err(format!("DATABASE_URL '{url}' names no file"));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::path_of_url;

    #[test]
    fn database_urls_name_files() {
        for (url, path) in [
            ("sqlite:a.db", "a.db"),
            ("sqlite://a.db?mode=rwc", "a.db"),
            ("sqlite:///tmp/a.db", "/tmp/a.db"),
            ("sqlite::memory:", ":memory:"),
            ("sqlite://:memory:", ":memory:"),
            (":memory:", ":memory:"),
        ] {
            assert_eq!(path_of_url(url).as_deref(), Ok(path), "{url}");
        }
        assert!(path_of_url("postgres://x").is_err());
        assert!(path_of_url("sqlite:").is_err());
    }
}
