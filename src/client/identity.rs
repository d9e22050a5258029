//! What requests say of who sends them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use zeroize::Zeroizing;

use super::ClientError;

/// The header in which published clients name their user, for logs; it proves nothing.
const CLIENT_USER: &str = "x-torc-client-user";

/// Who sends the requests, and how that is proven.
#[derive(Clone, Default)]
pub struct Identity {
    /// The user's name.
    pub user: String,
    /// The password, where the server asks for one.
    pub password: Option<Zeroizing<String>>,
    /// A cookie, where something before the server asks for one.
    pub cookie: Option<Zeroizing<String>>,
}

/// Secrets stay out of logs.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// What every request carries.
    ///
    /// # Errors
    ///
    /// A name with a colon, which HTTP Basic cannot carry; a cookie that is no header.
    pub(super) fn headers(&self) -> Result<HeaderMap, ClientError> {
        let mut headers = HeaderMap::new();
        if let Ok(user) = HeaderValue::from_str(&self.user)
            && !self.user.is_empty()
        {
            headers.insert(CLIENT_USER, user);
        }
        if let Some(password) = &self.password {
            if self.user.contains(':') {
                let why = format!("the user's name '{}' has a colon", self.user);
                return Err(ClientError::Identity(why));
            }
            let both = Zeroizing::new(format!("{}:{}", self.user, **password));
            let value = Zeroizing::new(format!("Basic {}", STANDARD.encode(both.as_bytes())));
            headers.insert(AUTHORIZATION, secret(&value, "the password")?);
        }
        if let Some(cookie) = &self.cookie {
            headers.insert(COOKIE, secret(cookie, "the cookie")?);
        }
        Ok(headers)
    }
}

fn secret(text: &str, what: &str) -> Result<HeaderValue, ClientError> {
    let mut value = HeaderValue::from_str(text)
        .map_err(|_| ClientError::Identity(format!("{what} cannot be sent")))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(user: &str, password: &str, cookie: Option<&str>) -> Identity {
        Identity {
            user: user.to_owned(),
            password: Some(Zeroizing::new(password.to_owned())),
            cookie: cookie.map(|cookie| Zeroizing::new(cookie.to_owned())),
        }
    }

    #[test]
    fn secrets_are_sent_and_not_shown() {
        let identity = identity("Aladdin", "open sesame", Some("a=b"));
        let headers = identity.headers().unwrap();
        assert_eq!(headers[AUTHORIZATION], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(headers[COOKIE], "a=b");
        assert_eq!(headers[CLIENT_USER], "Aladdin");
        for shown in [format!("{identity:?}"), format!("{headers:?}")] {
            for secret in ["sesame", "QWxh", "a=b"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }

    #[test]
    fn what_cannot_be_sent_is_refused() {
        for identity in [identity("a:b", "x", None), identity("a", "x", Some("\n"))] {
            assert!(matches!(identity.headers(), Err(ClientError::Identity(_))));
        }
    }
}
