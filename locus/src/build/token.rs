//! The token of a client: exchanged for the key, kept until it is refused, and shared.
//!
//! How long a token lives is told differently everywhere ("30d", a number, 15 minutes), so nothing is read from it but
//! the refusal.

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::error::{Error, ErrorKind};
use crate::http::{Call, Http};
use crate::secret::{LocusKey, Secret};

/// A token, and which exchange it came from.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) secret: Secret,
    round: u64,
}

/// One key's token.
#[derive(Debug)]
pub(super) struct Tokens {
    key: LocusKey,
    /// How many exchanges have ended.
    rounds: AtomicU64,
    /// Held while an exchange is under way, so that everybody else waits for the same one.
    last: Mutex<Option<Result<Token, Error>>>,
}

impl Tokens {
    pub(super) fn new(key: LocusKey) -> Self {
        Self { key, rounds: AtomicU64::new(0), last: Mutex::new(None) }
    }

    pub(super) const fn key(&self) -> &LocusKey {
        &self.key
    }

    /// The token at hand, or a new one, for this call.
    pub(super) async fn current(&self, http: &Http, call: &Call, deadline: Instant) -> Result<Token, Error> {
        self.token(http, call, deadline, 0).await
    }

    /// A token newer than this one, which was refused.
    pub(super) async fn instead_of(
        &self,
        refused: &Token,
        http: &Http,
        call: &Call,
        deadline: Instant,
    ) -> Result<Token, Error> {
        self.token(http, call, deadline, refused.round).await
    }

    /// A token of a later round than this. An exchange that ended while we waited for it counts, also when it failed.
    async fn token(&self, http: &Http, call: &Call, deadline: Instant, older: u64) -> Result<Token, Error> {
        let seen = self.rounds.load(Ordering::Acquire);
        let late = |_| {
            let kind = ErrorKind::Transport { ambiguous: false };
            Error::new(kind, call.name(), "the exchange of the key for a token took too long")
        };
        let mut last = tokio::time::timeout_at(deadline, self.last.lock()).await.map_err(late)?;
        match &*last {
            Some(Ok(token)) if token.round > older => return Ok(token.clone()),
            Some(Err(error)) if self.rounds.load(Ordering::Acquire) > seen => return Err(error.clone()),
            _ => {}
        }
        let round = self.rounds.load(Ordering::Acquire) + 1;
        let token = self.exchange(http, deadline).await.map(|secret| Token { secret, round });
        self.rounds.store(round, Ordering::Release);
        last.insert(token).clone()
    }

    /// `POST /auth/exchange`. It changes nothing, so it may be repeated, and its failure leaves the call that needed the
    /// token unsent.
    async fn exchange(&self, http: &Http, deadline: Instant) -> Result<Secret, Error> {
        let call = http.call(Method::POST, &["auth", "exchange"])?.repeatable();
        let call = call.json(&json!({ "apiKey": self.key.secret().expose() }))?;
        let answer = http.send(&call, None, deadline).await.map_err(Error::before_sending)?;
        // Nothing is shown of an answer that may hold a token under a name we do not know.
        let none = || answer.unreadable(&call.confidential(), "it has no token").before_sending();
        token_in(&answer.body).ok_or_else(none)
    }
}

/// The token is documented as `token`; clients were seen to accept `accessToken` and `jwt` too.
fn token_in(json: &str) -> Option<Secret> {
    let answer: Value = serde_json::from_str(json).ok()?;
    let text = ["token", "accessToken", "jwt"].iter().find_map(|name| answer.get(*name)?.as_str());
    text.filter(|text| !text.is_empty()).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_found_under_its_names() {
        for json in
            [r#"{"token":"t","expiresIn":"30d"}"#, r#"{"accessToken":"t","expiresIn":9}"#, r#"{"jwt":"t"}"#]
        {
            assert_eq!(token_in(json).unwrap().expose(), "t", "{json}");
        }
        for json in ["", "[]", "{}", r#"{"token":""}"#, r#"{"token":7}"#] {
            assert!(token_in(json).is_none(), "{json}");
        }
    }
}
