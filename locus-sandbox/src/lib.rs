//! PayWithLocus with its checkout, BuildWithLocus and AgentMail, in memory and over real HTTP: what Drip is run against
//! where there should be no bill, and tested against where things should go wrong.
//!
//! ```no_run
//! use locus_sandbox::{Config, Fault, Rule, Sandbox, Service};
//!
//! # async fn example() -> Result<(), locus_sandbox::Error> {
//! // A minute passes in a second.
//! let sandbox = Sandbox::start(Config { scale: 60, ..Config::default() }).await?;
//! let key = &sandbox.keys().locus[0];
//! // … a client talks to sandbox.pay_base() with the key, and the next creation of a service loses its answer:
//! let lost = Rule { path: Some("/v1/services".into()), times: Some(1), ..Rule::new(Service::Build, Fault::LostAnswer) };
//! sandbox.add_fault(lost);
//! // What was really done, whatever was answered:
//! for entry in sandbox.record() {
//!     println!("{entry:?}");
//! }
//! # Ok(())
//! # }
//! ```
//!
//! The services are answered on one listener: PayWithLocus under `/api`, BuildWithLocus under `/v1`, AgentMail under
//! `/v0`, the URLs of deployed services under `/svc/<service-id>/`, the page a payer sees under `/checkout/<session>`.
//! The `url` of a service is such an address, `http://127.0.0.1:<port>/svc/svc-1`, where the real one is a host of its
//! own: so it can be reached. Orders are taken on another listener, whose paths [`control`] lists.
//!
//! What it deliberately does not do: it moves no money, runs no containers, sends no mail, checks no limits of rates
//! unless ordered to, and knows one workspace, which all its keys open.
//!
//! In reading order: [`Config`] says what is started, [`Switches`] which of the possible behaviours is shown,
//! [`Sandbox`] runs it, [`Handle`] takes orders, [`Rule`] orders faults, [`Entry`] is a line of the record; `pay`,
//! `build` and `mail` are the services, `store` is what they know.

mod build;
mod clock;
mod config;
pub mod control;
mod error;
mod faults;
mod gate;
mod handle;
mod ids;
mod mail;
mod page;
mod pay;
mod record;
mod sandbox;
mod serve;
mod state_file;
mod store;
mod timers;
mod webhooks;

pub use build::{BuildService, Deployment, DeploymentStatus, Project, Runtime};
pub use clock::Time;
pub use config::{
    BalanceShape, Config, Funds, Keys, Mode, RuntimeCache, RuntimePatch, Scaling, ShortWallet, Switches,
    Timings,
};
pub use error::{Error, Refused};
pub use faults::{Fault, Ordered, Rule};
pub use handle::Handle;
pub use mail::{InboundMail, Letter, Message};
pub use pay::{PayOptions, Session, SessionStatus, WebhookTricks};
pub use record::{Effect, Entry, Service};
pub use sandbox::Sandbox;
