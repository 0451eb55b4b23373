//! The edges: asking Drip over HTTP and NATS. Thin: both read the same requests and call the same verbs.
//!
//! In reading order: [`problem`] (every error), `amount` (its field), `decimal`, `time`, `metadata`, [`dto`] (requests and answers),
//! [`auth`] (who asks), `agent_log` (signals as sentences), `cursor`, [`verbs`] (what is done), [`http`], [`nats`], [`openapi`].

pub mod agent_log;
mod amount;
pub mod auth;
mod cursor;
mod decimal;
pub mod dto;
pub mod http;
mod metadata;
pub mod nats;
pub mod openapi;
mod posted;
pub mod problem;
mod time;
pub mod verbs;

use std::sync::Arc;

use event_log::EventLog;
use projector::Views;

use crate::checkouts::Checkouts;
use crate::desk::Desk;
use crate::edge::auth::Keyring;
use crate::vault::Vault;

/// What the edges work with. Cheap to clone.
#[derive(Clone)]
pub struct EdgeState {
    /// Where the writers are asked.
    pub desk: Desk,
    /// Lists and history.
    pub views: Views,
    /// Asked only how far it is, so that reads can wait for all that was acknowledged.
    pub log: Arc<dyn EventLog>,
    /// Who may ask over HTTP.
    pub keyring: Arc<Keyring>,
    /// What is needed for the upkeep of accounts.
    pub house: Arc<House>,
}

/// What is needed for the upkeep of accounts: the key of the house, who works for it, and who takes in money.
#[derive(Debug, Default)]
pub struct House {
    /// Seals and signs.
    pub vault: Option<Vault>,
    /// The SHA-256 of the key with which workers tell what they did; `None`: nobody may.
    pub worker_key: Option<[u8; 32]>,
    /// Takes in money.
    pub checkouts: Option<Checkouts>,
    /// Where this Drip is reached by containers and by people, without a '/' at its end.
    pub public_url: Option<String>,
}
