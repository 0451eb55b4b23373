//! The services Drip lives on: typed clients of PayWithLocus, BuildWithLocus and AgentMail, and the signatures of what
//! they send back.
//!
//! What is known of these services comes from three kinds of places, and the documentation of each item says which:
//! the vendor's own documentation ("documented"), what the beta service was seen to answer ("seen in beta"), and what
//! only public clients rely on ("seen in clients"). Where they differ, both are accepted; a field that is missing or
//! has changed its shape is *unknown* (`None`), never zero.
//!
//! Three rules hold for every call:
//!
//! - It is sent again only where that can do no harm: reads, writes of absolute values, deletions, and mails under an
//!   idempotency key. What creates, deploys or costs money is sent once; [`Error::is_ambiguous`] then says whether it
//!   may have happened, and [`Error::is_retryable`] whether the caller may simply send it again.
//! - Money is read from its digits and never passes through a float.
//! - Keys, tokens and secrets appear in no error, log or `Debug`.
//!
//! ```no_run
//! use locus::{Error, ErrorKind, LocusKey, Pay, Timing, pay};
//!
//! # async fn example(text: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let key = LocusKey::parse(text)?;
//! let client = Pay::new(pay::Config { base: pay::BETA.to_owned(), key, timing: Timing::default() })?;
//! match client.wrapped("exa", "search", &serde_json::json!({ "query": "rust" })).await {
//!     Ok(answer) => println!("{} at {:?} USDC", answer.inner(), answer.cost),
//!     Err(error) if error.is_retryable() => println!("nothing was charged, try later: {error}"),
//!     Err(error) if error.is_ambiguous() => println!("it may have been charged: {error}"),
//!     Err(error) if *error.kind() == ErrorKind::InsufficientFunds => println!("top up: {error}"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it deliberately does not do: it reads no wall clock and no environment (only the usual proxy variables are
//! obeyed, by the HTTP library), follows no redirects, keeps nothing but a token in memory, starts no task, and decides
//! nothing about users or money.
//!
//! In reading order: [`pay`], [`build`] and [`mail`] have a client each, [`webhook`] checks what they send, [`Error`]
//! says how a call failed, [`Timing`] how long it may take, [`Secret`] keeps what must not be shown. `http` sends a
//! call and repeats it, `refusal` reads a "no", `decimal` and `lenient` read fields, `redact` hides secrets in text.

#[macro_use]
mod open_enum;

pub mod build;
mod decimal;
mod error;
mod http;
mod lenient;
pub mod mail;
pub mod pay;
mod redact;
mod refusal;
mod secret;
mod timing;
pub mod webhook;

pub use build::Build;
pub use error::{Error, ErrorKind};
pub use mail::Mail;
pub use pay::Pay;
pub use secret::{InvalidKey, LocusKey, MailKey, Secret};
pub use timing::Timing;
