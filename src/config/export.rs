//! The command line of `torc-server export`.

use std::path::PathBuf;

use clap::Args;

/// What to copy, and where to.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Workflows to keep; all of them if neither these nor a filter are given
    #[arg(value_name = "WORKFLOW_ID", conflicts_with_all = ["users", "access_groups"])]
    pub workflows: Vec<i64>,

    /// The file to write
    #[arg(short, long, value_name = "PATH")]
    pub output: PathBuf,

    /// The database to copy; a server may be running on it
    /// [default: DATABASE_URL, else torc-server.db]
    #[arg(short, long, value_name = "PATH")]
    pub database: Option<String>,

    /// Keep the workflows of this user; repeat it for more
    #[arg(long = "user", value_name = "NAME", conflicts_with = "access_groups")]
    pub users: Vec<String>,

    /// Keep the workflows that this group may use, by its id; repeat it for more
    #[arg(long = "access-group", value_name = "ID")]
    pub access_groups: Vec<i64>,

    /// Replace the file if it exists
    #[arg(long)]
    pub overwrite: bool,

    /// Keep the access groups, their members and their workflows
    #[arg(long)]
    pub preserve_access_groups: bool,

    /// Leave the space of what was removed in the file
    #[arg(long)]
    pub no_vacuum: bool,

    /// Say what was copied as JSON, on standard output
    #[arg(long)]
    pub json: bool,
}
