//! tmp
/// t
#[derive(Debug, Clone, clap::Args)]
pub struct TelemetryArgs {
    /// x
    #[arg(long)]
    pub no_console: bool,
}
