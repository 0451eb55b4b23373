//! Logs, to stderr always: stdout belongs to data.

use std::env;
use std::ffi::OsStr;
use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// The environment variable with the log filter, in the syntax of `tracing-subscriber`: `info`, or
/// `warn,command_api=debug`.
pub const FILTER_VARIABLE: &str = "DRIP_LOG";

/// Our own news, and the troubles of the NATS client: its news of every connection is told better by those who made it.
/// Of Postgres' notices the warnings alone: that a table is there already is no news.
const DEFAULT_FILTER: &str = "info,async_nats=warn,sqlx::postgres::notice=warn";

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people; in colour on a terminal, unless `NO_COLOR` is set.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The filter in [`FILTER_VARIABLE`] is not one.
    #[error(
        "DRIP_LOG=\"{filter}\" is not a log filter; write for instance \"info\" or \"warn,command_api=debug\""
    )]
    Filter {
        /// What the variable holds.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Logs were set up before.
    #[error("the logs of this process are already set up")]
    Twice(#[source] TryInitError),
}

/// Sends the logs of the whole process to stderr, filtered by [`FILTER_VARIABLE`]. To be called once, by `main`.
///
/// # Errors
///
/// [`Error::Filter`] for a filter that can not be understood, [`Error::Twice`] at a second call.
pub fn init(format: Format) -> Result<(), Error> {
    let filter = filter(env::var(FILTER_VARIABLE).ok().as_deref())?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr);
    let subscriber = match format {
        Format::Human => {
            let ansi = colour(stderr().is_terminal(), env::var_os("NO_COLOR").as_deref());
            builder.with_ansi(ansi).finish().try_init()
        }
        Format::Json => builder.json().flatten_event(true).finish().try_init(),
    };
    subscriber.map_err(Error::Twice)
}

fn filter(text: Option<&str>) -> Result<EnvFilter, Error> {
    let text = text.filter(|text| !text.trim().is_empty()).unwrap_or(DEFAULT_FILTER);
    EnvFilter::builder().parse(text).map_err(|source| Error::Filter { filter: text.to_owned(), source })
}

/// An empty `NO_COLOR` counts as none: <https://no-color.org>.
fn colour(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_whose_owner_wants_it() {
        assert!(colour(true, None) && colour(true, Some(OsStr::new(""))));
        assert!(!colour(true, Some(OsStr::new("1"))) && !colour(false, None));
    }

    #[test]
    fn the_filter_defaults_to_info() {
        for text in [None, Some(""), Some(" "), Some(DEFAULT_FILTER)] {
            assert_eq!(filter(text).unwrap().to_string(), filter(Some(DEFAULT_FILTER)).unwrap().to_string());
        }
        assert_eq!(filter(Some("warn,a=debug")).unwrap().to_string(), "a=debug,warn");
    }

    #[test]
    fn a_wrong_filter_is_refused_with_its_name() {
        let error = filter(Some("command_api=loud")).unwrap_err();
        assert!(error.to_string().starts_with("DRIP_LOG=\"command_api=loud\" is not a log filter"));
    }
}
