//! Saving a trace for Perfetto.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::NamedTempFile;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::context::Context;
use crate::cli::debug_pages::refused;
use crate::cli::failure::Failure;
use crate::cli::figures::bytes;
use crate::client::DownloadError;
use crate::say::say;

/// What a server without these pages lacks.
const MISSING: &str = "this server records no traces";

/// Where a trace goes.
enum Target {
    Stdout(io::Stdout),
    /// A pipe or a device: what is there is written to.
    There(File),
    /// A file that is whole or not there.
    New(NamedTempFile, PathBuf),
}

/// Has the server record for so many seconds, or tell what it remembers, and saves that.
///
/// # Errors
///
/// [`Failure`] if the server refuses, the file cannot be written, or a signal came; no part
/// of a file is left.
pub async fn run(context: &Context, file: &str, seconds: Option<u32>) -> Result<(), Failure> {
    let no_file = |error: io::Error| Failure::new(format!("cannot write {file}: {error}"));
    // Before a minute is spent on recording.
    let mut target = Target::open(file).map_err(no_file)?;
    let (page, query) = match seconds {
        Some(seconds) => {
            say(format_args!("recording for {seconds} s"));
            ("/trace", vec![("seconds", seconds.to_string())])
        }
        None => ("/trace/recent", Vec::new()),
    };
    let stop = || {
        let listen = |kind: SignalKind| {
            signal(kind)
                .map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))
        };
        Ok::<[Signal; 2], Failure>([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
        ])
    };
    let [mut interrupt, mut terminate] = stop()?;
    let sink = target.sink();
    let downloaded = tokio::select! {
        downloaded = context.client.download(page, &query, sink) => downloaded,
        _ = interrupt.recv() => return Err(Failure::interrupted(2)),
        _ = terminate.recv() => return Err(Failure::interrupted(15)),
    };
    let size = match downloaded {
        Ok(size) => size,
        // The reader of standard output has had enough.
        Err(DownloadError::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            return Ok(());
        }
        Err(DownloadError::Write(error)) => return Err(no_file(error)),
        Err(DownloadError::Client(error)) => return Err(refused(&context.client, error, MISSING)),
    };
    if size == 0 {
        return Err(Failure::new("the server's trace is empty"));
    }
    let is_stdout = matches!(target, Target::Stdout(_));
    target.close().map_err(no_file)?;
    if is_stdout {
        return Ok(());
    }
    let told = format!(
        "Saved {} to {file}; open https://ui.perfetto.dev and drag the file in: it is read in the \
         browser, nothing is uploaded",
        bytes(size)
    );
    context
        .output
        .done(&json!({"file": file, "bytes": size}), &told)
}

impl Target {
    fn open(name: &str) -> io::Result<Self> {
        if name == "-" {
            return Ok(Self::Stdout(io::stdout()));
        }
        let path = Path::new(name);
        let path = match path.metadata() {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => {
                return OpenOptions::new().write(true).open(path).map(Self::There);
            }
            // What a link leads to is replaced, not the link.
            Ok(_) => path.canonicalize()?,
            Err(_) => path.to_owned(),
        };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        // The error says only what is missing, and this one why.
        directory.metadata()?;
        // As any file is made: the umask takes what it takes.
        let partial = tempfile::Builder::new()
            .prefix(".torc-trace-")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(directory)
            .map_err(|error| io::Error::new(error.kind(), reason(&error)))?;
        Ok(Self::New(partial, path))
    }

    fn sink(&mut self) -> &mut (dyn Write + Send) {
        match self {
            Self::Stdout(stdout) => stdout,
            Self::There(file) => file,
            Self::New(file, _) => file,
        }
    }

    fn close(self) -> io::Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush(),
            Self::There(mut file) => file.flush(),
            Self::New(file, path) => file.persist(path).map(drop).map_err(|failed| failed.error),
        }
    }
}

/// What the system says, without the name of the partial file.
fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}
