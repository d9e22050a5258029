//! Who may ask the server: the flags of authentication and access control.

use std::path::PathBuf;

use clap::Args;

/// The flags about who asks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Who may ask")]
pub struct AccessArgs {
    /// File of users and their passwords' bcrypt hashes, as `torc-server htpasswd` and
    /// `htpasswd -B` make it; without one everybody is anonymous
    #[arg(long, value_name = "PATH", env = "TORC_AUTH_FILE")]
    pub auth_file: Option<PathBuf>,

    /// Answer 401 to whoever has no user's name and password
    #[arg(long)]
    pub require_auth: bool,

    /// Seconds for which a checked password counts, 0 to check at every request; a check
    /// is slow on purpose
    #[arg(
        long,
        value_name = "N",
        default_value_t = 60,
        env = "TORC_CREDENTIAL_CACHE_TTL_SECS"
    )]
    pub credential_cache_ttl_secs: u32,

    /// Let a workflow be used by its owner, by members of its access groups and by admins
    /// only
    #[arg(long)]
    pub enforce_access_control: bool,

    /// A user who may do everything; repeat it, or separate names by commas
    #[arg(
        long = "admin-user",
        value_name = "NAME",
        env = "TORC_ADMIN_USERS",
        value_delimiter = ','
    )]
    pub admin_users: Vec<String>,

    /// Refuse all SQL of admins; their log stays readable
    #[arg(long)]
    pub disable_admin_sql: bool,

    /// Refuse SQL of admins that changes rows
    #[arg(long)]
    pub disable_admin_sql_writes: bool,
}

impl AccessArgs {
    /// The names of the admins, without what a comma too many leaves.
    pub fn admins(&self) -> Vec<String> {
        let names = self.admin_users.iter().map(|name| name.trim());
        names
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect()
    }
}
