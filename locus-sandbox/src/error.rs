//! Why the sandbox does not start or stop, and why an order to it is refused.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the sandbox does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An address can not be listened on.
    #[error("the sandbox can not listen on {address}")]
    Bind {
        /// The address it was given.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file can not be read or written.
    #[error("the sandbox can not use its state file {}", path.display())]
    StateFile {
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state file holds something else.
    #[error("{} is not the state of a sandbox; move it away to start empty", path.display())]
    NotAState {
        /// Where it is.
        path: PathBuf,
        /// Where it stops making sense.
        source: serde_json::Error,
    },
    /// The HTTP client that delivers webhooks can not be made.
    #[error("the sandbox can not make its HTTP client")]
    Client(#[source] reqwest::Error),
    /// A task of the sandbox ended.
    #[error("a task of the sandbox ended before its time: {0}")]
    Ended(String),
}

/// Why an order to the sandbox is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing of that name.
    #[error("there is no {0}")]
    NotFound(String),
    /// It is there, and does not allow it now.
    #[error("{0}")]
    Conflict(String),
}
