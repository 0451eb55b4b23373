//! Mails to the users of accounts: that credit runs low, that a container sleeps, that it runs again.
//!
//! Which mail is to be sent, and who may send it, the ledger decides; this crate has no memory of its own that could
//! be lost. A signal in the log or a sweep tells it to look at an account; it asks what is open there, claims it,
//! sends it, and tells what came of it. So a crash at any point leaves a claim that ends, and the next attempt either
//! sends the same bytes under the same idempotency key, or looks first whether they went out.
//!
//! What it deliberately does not do: it decides no levels and no amounts, reads no views by itself, keeps no cursor in
//! the log, and shows no address and no text of a mail in logs or errors.
//!
//! In reading order: [`Config`] (what it is handed), [`work`] (what the ledger's door for
//! workers says; [`Drip`] is one over HTTP), `plan` (what is to be
//! done with a mail now, pure), `letter` and `templates` (what is written), `transport` (how it is sent), `verdict`
//! (what is told of an attempt, pure), `account` (all of that for one account), `signals` (what the log says), `run` (the
//! tasks).

mod account;
mod bugs;
mod config;
mod drip;
mod error;
mod letter;
mod plan;
mod run;
mod signals;
mod templates;
pub mod transport;
mod verdict;
mod warnings;
pub mod work;

pub use config::{Config, Timing};
pub use drip::Drip;
pub use error::Error;
pub use letter::Letter;
pub use run::run;
pub use transport::{Direct, LocusX402, Transport};
pub use work::Door;
