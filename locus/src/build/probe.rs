//! Whether a service answers where users reach it.

use reqwest::{StatusCode, Url};

use super::Build;
use crate::error::Error;
use crate::http::cause;
use crate::redact::snippet;

/// What a service's own URL answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// 2xx: it is there.
    Answered {
        /// The HTTP status.
        status: u16,
    },
    /// 503: not there yet, up to a minute after its deployment is healthy, or hibernated (documented).
    Unavailable,
    /// Any other status: something answers, and it is not well.
    Other {
        /// The HTTP status.
        status: u16,
    },
    /// Nothing answered.
    NotReached {
        /// What was seen.
        reason: String,
    },
}

impl Build {
    /// Asks a service at its own URL, as a user would: `GET url + path`, once, without any key or token.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) when it is no http URL.
    pub async fn probe(&self, url: &str, path: &str) -> Result<Probe, Error> {
        let url = health_url(url, path)?;
        Ok(match self.http.peek(url).await {
            Ok(status) if status.is_success() => Probe::Answered { status: status.as_u16() },
            Ok(StatusCode::SERVICE_UNAVAILABLE) => Probe::Unavailable,
            Ok(status) => Probe::Other { status: status.as_u16() },
            Err(error) => Probe::NotReached { reason: snippet(&cause(&error), None) },
        })
    }
}

fn health_url(url: &str, path: &str) -> Result<Url, Error> {
    let text = format!("{}/{}", url.trim_end_matches('/'), path.trim_start_matches('/'));
    let shown = text.split(['?', '@']).next().unwrap_or_default();
    let invalid = |reason: String| Error::invalid(format!("GET {}", snippet(shown, None)), reason);
    let url = Url::parse(&text).map_err(|error| invalid(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("a service's URL begins with http:// or https://".to_owned()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_and_path_meet_at_one_slash() {
        for (url, path) in [("http://x", "health"), ("http://x/", "/health"), ("http://x", "/health")] {
            assert_eq!(health_url(url, path).unwrap().as_str(), "http://x/health");
        }
        for bad in ["", "x", "file:///etc", "svc-1.buildwithlocus.com"] {
            assert!(health_url(bad, "/health").is_err(), "{bad}");
        }
    }
}
