//! Who may look: whoever has shown an API key once, for twelve hours, as long as that key is one.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, OptionalFromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use ledger_core::Timestamp;
use ledger_core::time::HOUR;

use crate::edge::EdgeState;
use crate::edge::auth::{Keyring, Principal};
use crate::edge::problem::{EdgeCode, Problem};

const COOKIE: &str = "drip_page";
/// How long a pass holds, in hours.
const HOURS: i64 = 12;

/// Who looks.
#[derive(Debug, Clone)]
pub(super) struct Viewer {
    /// As if it asked with the key that it has shown; only what shows is done with it.
    pub(super) principal: Principal,
    /// Until when.
    pub(super) until: Timestamp,
}

impl Viewer {
    fn of(headers: &HeaderMap, state: &EdgeState) -> Option<Self> {
        let now = Timestamp(service_kit::clock::now());
        let vault = state.house.vault.as_ref()?;
        let (mark, until) = cookies(headers).find_map(|pass| vault.passes(pass, now))?;
        // A key that was taken out of the configuration takes its passes along.
        let principal = state.keyring.marked(mark)?.clone();
        Some(Self { principal, until })
    }
}

impl OptionalFromRequestParts<EdgeState> for Viewer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Option<Self>, Infallible> {
        Ok(Self::of(&parts.headers, state))
    }
}

impl FromRequestParts<EdgeState> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &EdgeState) -> Result<Self, Problem> {
        let refused = || Problem::new(EdgeCode::Unauthorized, "Log in on the page first.");
        Self::of(&parts.headers, state).ok_or_else(refused)
    }
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// The key that the form was sent with. The same escapes as behind the `?` of a URL, where it never stands.
pub(super) fn key_of(form: &[u8]) -> Option<String> {
    let uri = Uri::builder().path_and_query(format!("/?{}", std::str::from_utf8(form).ok()?)).build().ok()?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    pairs.into_iter().find(|(name, _)| name == "key").map(|(_, key)| key)
}

/// The cookie for who shows this key. `None`: nobody's, or there is nothing to sign it with.
pub(super) fn cookie(state: &EdgeState, key: &str) -> Option<HeaderValue> {
    state.keyring.find(key)?;
    let until = Timestamp(service_kit::clock::now()).plus(HOURS * HOUR);
    let pass = state.house.vault.as_ref()?.pass(&Keyring::mark(key), until);
    Some(set_cookie(state, &pass, HOURS * 3_600))
}

/// What takes the cookie away.
pub(super) fn no_cookie(state: &EdgeState) -> HeaderValue {
    set_cookie(state, "", 0)
}

fn set_cookie(state: &EdgeState, value: &str, seconds: i64) -> HeaderValue {
    let https = state.house.public_url.as_ref().is_some_and(|url| url.starts_with("https://"));
    let secure = if https { "; Secure" } else { "" };
    let text = format!("{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    HeaderValue::from_str(&text).expect("a pass holds letters and digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_read_out_of_a_form() {
        for (form, key) in [
            ("key=drip_demo_a-b", Some("drip_demo_a-b")),
            ("a=b&key=%64rip+x", Some("drip x")),
            ("key=", Some("")),
            ("kez=x", None),
            ("", None),
            ("key=\u{e4}\n", None),
        ] {
            assert_eq!(key_of(form.as_bytes()).as_deref(), key, "{form}");
        }
        assert_eq!(key_of(b"key=\xff"), None);
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("a=b; drip_page=one"));
        headers.append(header::COOKIE, HeaderValue::from_static("drip_page=two;xdrip_page=three; drip_page"));
        assert_eq!(cookies(&headers).collect::<Vec<_>>(), ["one", "two"]);
    }
}
