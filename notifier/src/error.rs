//! Why a notifier can not start, or not go on. Every message says what to do.

use std::path::PathBuf;

/// Why a notifier can not start, or not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The folder of templates, or a file in it, is there and can not be read, or is not there at all.
    #[error("the templates of mails can not be read: {}: {reason}", path.display())]
    Templates {
        /// The folder or the file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A template that would make no mail.
    #[error("{file}:{line}: {reason}. The fields of a template: {fields}")]
    Template {
        /// The file; of a built-in template its name.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        reason: String,
        /// The names that can be used.
        fields: String,
    },
    /// The pattern of the address where users top up.
    #[error("the address for topping up can not be used: {0}")]
    TopUpUrl(String),
    /// The log can not be followed, and that will not change by itself.
    #[error("the notifier can not follow the log")]
    Log(#[source] event_log::NewsError),
}
