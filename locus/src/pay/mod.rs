//! PayWithLocus: a wallet's balance, checkout sessions, wrapped APIs, and AgentMail by way of x402.
//!
//! Everything here is paid from one wallet and needs one key. Production and beta share nothing but the code: keys,
//! wallets and sessions of one do not exist in the other, and funds are real USDC in both (documented).

mod balance;
mod checkout;
mod wrapped;
mod x402;

use std::fmt;

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use balance::{Balance, Limit};
pub use checkout::{NewSession, Session, SessionStatus};
pub use wrapped::WrappedAnswer;
pub use x402::{X402Mail, X402Message, X402Sent};

use crate::error::Error;
use crate::http::{Answer, Call, Http, Service};
use crate::secret::LocusKey;
use crate::timing::Timing;

/// The base URL of production (documented).
pub const PRODUCTION: &str = "https://api.paywithlocus.com/api";
/// The base URL of beta (documented).
pub const BETA: &str = "https://beta-api.paywithlocus.com/api";

/// What a [`Pay`] is made of.
#[derive(Debug, Clone)]
pub struct Config {
    /// The base URL: [`PRODUCTION`], [`BETA`], or a server of your own.
    pub base: String,
    /// The key of the same environment.
    pub key: LocusKey,
    /// How long calls may take.
    pub timing: Timing,
}

/// Speaks to PayWithLocus with one key. Cheap to clone: clones share their connections.
#[derive(Clone)]
pub struct Pay {
    http: Http,
    key: LocusKey,
}

impl fmt::Debug for Pay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pay").field("base", &self.http.base().as_str()).field("key", &self.key).finish()
    }
}

/// `{"success": true, "data": …}`, in which anything may be missing (documented departures).
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

impl Pay {
    /// For the service the configuration names. Connects only when called.
    ///
    /// # Errors
    ///
    /// [`Invalid`](crate::ErrorKind::Invalid) for a base that is no http URL.
    pub fn new(config: Config) -> Result<Self, Error> {
        Ok(Self { http: Http::new(Service::Pay, &config.base, config.timing)?, key: config.key })
    }

    fn get(&self, path: &[&str]) -> Result<Call, Error> {
        self.http.call(Method::GET, path)
    }

    fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Call, Error> {
        self.http.call(Method::POST, path)?.json(body)
    }

    async fn send(&self, call: &Call) -> Result<Answer, Error> {
        self.http.send(call, Some(self.key.secret()), self.http.deadline()).await
    }

    async fn ask<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Error> {
        let answer = self.send(call).await?;
        answer.decode(call, data(call, &answer)?)
    }
}

/// What stands in the envelope, or the whole answer when it has none: some answers are flat.
fn data<'a>(call: &Call, answer: &'a Answer) -> Result<&'a str, Error> {
    let envelope: Result<Envelope<'a>, _> = serde_json::from_str(&answer.body);
    let envelope = envelope.map_err(|error| answer.unreadable(call, &error.to_string()))?;
    Ok(envelope.data.map_or(&answer.body, RawValue::get))
}
