//! The edges: asking Drip over HTTP and NATS. Thin: both read the same requests and call the same verbs.
//!
//! In reading order: [`problem`] (every error), `amount` (its field), `decimal`, `time`, `metadata`, [`dto`] (requests and answers),
//! [`auth`] (who asks), `cursor`, [`verbs`] (what is done), [`http`], [`nats`], [`openapi`].

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

use crate::desk::Desk;
use crate::edge::auth::Keyring;

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
}
