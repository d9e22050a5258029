//! The proxy that the environment asks for: `http_proxy` and its kin.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

/// The proxy through which requests to this URL go, without its password; none for
/// this machine's own addresses, where no proxy could help.
pub(super) fn of(url: &Url) -> Option<String> {
    if is_own(url) {
        return None;
    }
    let intercept = Matcher::from_env().intercept(&url.as_str().parse().ok()?)?;
    let proxy = intercept.uri();
    let scheme = proxy.scheme_str().unwrap_or("http");
    // What stands before an @ is a secret.
    let authority = proxy.authority()?.as_str();
    let host = authority.rsplit('@').next().unwrap_or(authority);
    Some(format!("{scheme}://{host}"))
}

/// Whether the URL leads to this machine.
fn is_own(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    match address.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn this_machine_has_several_names() {
        for (url, own) in [
            ("http://localhost:8080", true),
            ("http://LOCALHOST", true),
            ("http://torc.localhost", true),
            ("http://127.0.0.1:1", true),
            ("http://127.8.9.1", true),
            ("http://[::1]:80", true),
            ("http://0.0.0.0:80", true),
            ("http://10.0.0.1", false),
            ("http://localhost.example.org", false),
        ] {
            assert_eq!(is_own(&url.parse().unwrap()), own, "{url}");
        }
    }
}
