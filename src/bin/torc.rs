//! torc: the command line, and the worker.

use std::process::ExitCode;

fn main() -> ExitCode {
    torc_server::cli::main()
}
