//! Why a process ended that should have gone on.

use std::any::Any;
use std::error::Error;
use std::time::Duration;

use tokio::task::JoinError;

/// Why a process ended without having been asked to, or could not end in order. The process exits with a failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// A task that should run as long as the process returned.
    #[error("the task \"{task}\" ended although nothing had asked it to stop")]
    Ended {
        /// The name it was spawned with.
        task: String,
    },
    /// A task returned an error, which is the source.
    #[error("the task \"{task}\" failed")]
    Failed {
        /// The name it was spawned with.
        task: String,
        /// What it returned.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A task panicked: a bug of ours.
    #[error("the task \"{task}\" panicked: {message}")]
    Panicked {
        /// The name it was spawned with.
        task: String,
        /// What the panic said.
        message: String,
    },
    /// Everything was asked to stop, and something did not.
    #[error("still running when the stop was cut short (at the latest after {grace:?}): {tasks}")]
    Overdue {
        /// The names of the tasks that were aborted, separated by commas.
        tasks: String,
        /// The time they had been given.
        grace: Duration,
    },
    /// The system refused to tell us of signals.
    #[error("the handlers of SIGINT and SIGTERM can not be installed")]
    Signals(#[source] std::io::Error),
}

impl StopReason {
    /// What the end of a task is a reason for, if anything: a task aborted with its runtime is none.
    pub(crate) fn of_join_error(task: String, error: JoinError) -> Option<Self> {
        let panic = error.try_into_panic().ok()?;
        Some(Self::Panicked { task, message: panic_message(panic.as_ref()) })
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}
