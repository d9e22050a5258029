//! The options that say who asks, and which server may be believed.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use clap::builder::FalseyValueParser;
use zeroize::Zeroizing;

use super::context::user_name;
use super::failure::Failure;
use crate::client::Identity;
use crate::prompt;
use crate::say::say;
use crate::trust::Trust;

/// A text that is not shown.
#[derive(Clone)]
struct Secret(Zeroizing<String>);

impl FromStr for Secret {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// Who asks, and whom.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct IdentityArgs {
    /// Your password on the server. Everybody on this machine can read it in the list of
    /// processes: TORC_PASSWORD or --prompt-password is better
    #[arg(
        long,
        global = true,
        env = "TORC_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    password: Option<Secret>,
    /// Ask for the password
    #[arg(long, global = true)]
    prompt_password: bool,
    /// Believe servers, too, whose certificates somebody in this file signed (PEM)
    #[arg(long, global = true, env = "TORC_TLS_CA_CERT", value_name = "FILE")]
    tls_ca_cert: Option<PathBuf>,
    /// Believe every server, also one that only says to be the right one
    #[arg(
        long,
        global = true,
        env = "TORC_TLS_INSECURE",
        value_parser = FalseyValueParser::new()
    )]
    tls_insecure: bool,
    /// Send this Cookie header with every request, to what stands before the server
    #[arg(
        long,
        global = true,
        env = "TORC_COOKIE_HEADER",
        hide_env_values = true,
        value_name = "COOKIE"
    )]
    cookie_header: Option<Secret>,
}

/// None for what is empty: a variable that is set to nothing.
fn given(secret: Option<Secret>) -> Option<Zeroizing<String>> {
    secret
        .map(|Secret(text)| text)
        .filter(|text| !text.is_empty())
}

impl IdentityArgs {
    /// Who asks, and whom that one trusts at this URL. May ask for the password.
    ///
    /// # Errors
    ///
    /// [`Failure`] if there is nobody to ask.
    pub fn read(self, url: &str) -> Result<(Identity, Trust), Failure> {
        let user = user_name();
        let password = if self.prompt_password {
            let question = format!("Password of {user}: ");
            let given = prompt::password(&question).map_err(|error| match error.kind() {
                std::io::ErrorKind::Interrupted => Failure::interrupted(2),
                _ => Failure::new(format!("no password: {error}"))
                    .hint("TORC_PASSWORD says it without a terminal"),
            })?;
            Some(given)
        } else {
            given(self.password)
        };
        let is_https = url.trim_start().to_ascii_lowercase().starts_with("https:");
        let file = self.tls_ca_cert.filter(|file| !file.as_os_str().is_empty());
        let trust = match file {
            _ if !is_https => Trust::Nobody,
            _ if self.tls_insecure => {
                say("warning: whoever answers is believed to be the server (--tls-insecure)");
                Trust::Anybody
            }
            Some(file) => Trust::SystemAnd(file),
            None => Trust::System,
        };
        let identity = Identity {
            user,
            password,
            cookie: given(self.cookie_header),
        };
        Ok((identity, trust))
    }
}
