//! The Rust client of Drip: HTTP, with a key and a deadline on every call.
//!
//! A key is chosen before the first send and kept over all attempts, and all attempts carry the same deadline: so a
//! call that is sent again, by the client itself or by you after [`Error::OutcomeUnknown`], never charges twice.
//!
//! ```no_run
//! use drip_client::{Client, Debit, Error, OpenAccount};
//!
//! # async fn example() -> Result<(), Error> {
//! let client = Client::new("http://127.0.0.1:8377", std::env::var("DRIP_API_KEY").unwrap_or_default())?;
//! client.open(&OpenAccount::new("anna").initial_balance("1".parse()?)).await?;
//!
//! let search = Debit::amount("0.007".parse()?).meter("search");
//! match client.debit("anna", &search).await {
//!     Ok(receipt) => println!("{} left, level {}", receipt.balance, receipt.level),
//!     Err(Error::Rejected(problem)) if problem.code == "insufficient_credit" => println!("top up first"),
//!     Err(Error::OutcomeUnknown { key, .. }) => println!("ask again with the key {key:?}: it charges once"),
//!     Err(error) => return Err(error),
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What it deliberately does not do: it decides nothing, caches nothing, rounds nothing, follows no redirects, speaks no
//! NATS, and never shows its API key.
//!
//! In reading order: [`Client`] has a method a verb, `call` sends one with its retries, [`Error`] says how it failed,
//! `requests`, `answers` and `upkeep` are what goes out and comes in, [`Amount`] and [`Decimal`] are exact numbers, `key` makes
//! keys, `routing` finds the partition of an account.

mod answers;
mod call;
mod client;
mod decimal;
mod error;
mod key;
mod requests;
mod routing;
mod upkeep;

pub use answers::{
    Account, Check, JournalRow, Level, Lot, LotKind, Page, Readiness, Receipt, SourceAnswer, SourceStatus,
};
pub use client::{Client, DEADLINE, DEADLINE_MAX};
pub use decimal::{Amount, Decimal, InvalidDecimal};
pub use error::{Error, Problem};
pub use key::{app_of_key, new_key};
pub use requests::{
    AccountsQuery, Debit, Item, JournalQuery, MoneyIn, OpenAccount, Order, SourceBatch, SourceDebit,
    UserDebit,
};
pub use routing::{Routing, SLOTS, SlotRange, slot};
pub use upkeep::{
    CheckoutSession, CheckoutState, Container, ContainerSettings, LogLine, LogPage, NewCheckout, Notice,
    NoticeState, Phase, Resolution, Solvency, Wallet,
};
