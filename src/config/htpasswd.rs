//! The command line of `torc-server htpasswd`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What may be done with the file of users.
#[derive(Debug, Subcommand)]
pub enum HtpasswdCommand {
    /// Add a user, or give one another password
    Add(AddArgs),
    /// Remove a user
    Remove(UserArgs),
    /// List the users
    List(ListArgs),
    /// Tell by the exit code whether a password is a user's: 0 if it is, 1 if not
    Verify(VerifyArgs),
}

/// The file.
#[derive(Debug, Clone, Args)]
pub struct FileArgs {
    /// The file of users
    #[arg(
        short = 'f',
        long = "file",
        value_name = "PATH",
        env = "TORC_AUTH_FILE"
    )]
    pub path: PathBuf,
}

/// The file and a user.
#[derive(Debug, Clone, Args)]
pub struct UserArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the command's")]
    pub file: FileArgs,
    /// The user's name
    #[arg(value_name = "USER")]
    pub user: String,
}

/// Where the password comes from; it is asked for at the terminal otherwise.
#[derive(Clone, Args)]
#[group(multiple = false)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// The password; everybody on this machine can read it in the list of processes, and
    /// your shell keeps it
    #[arg(short, long, value_name = "PASSWORD")]
    pub password: Option<String>,
}

/// Never shows the password.
impl std::fmt::Debug for PasswordArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PasswordArgs")
            .field("password_stdin", &self.password_stdin)
            .finish_non_exhaustive()
    }
}

/// The flags of `add`.
#[derive(Debug, Clone, Args)]
pub struct AddArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the command's")]
    pub user: UserArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the command's")]
    pub password: PasswordArgs,
    /// What a check of the password costs; each step doubles it, 12 is a quarter of a second
    #[arg(
        short, long, value_name = "N", default_value_t = 12,
        value_parser = clap::value_parser!(u32).range(4..=17)
    )]
    pub cost: u32,
}

/// The flags of `list`.
#[derive(Debug, Clone, Args)]
pub struct ListArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the command's")]
    pub file: FileArgs,
    /// Print JSON: {"items": [{"user", "cost"}, ...]}
    #[arg(long)]
    pub json: bool,
}

/// The flags of `verify`.
#[derive(Debug, Clone, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the command's")]
    pub user: UserArgs,
    #[command(flatten)]
    #[allow(missing_docs, reason = "a text here would be the command's")]
    pub password: PasswordArgs,
}
