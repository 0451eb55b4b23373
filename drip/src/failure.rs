//! How a command fails: what happened, why, the way out, and an exit code that scripts can rely on.

use std::io::ErrorKind;
use std::process::ExitCode;

use drip_client::{Error, Problem};
use ledger_core::rejection::Code;

/// Shown under every help.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong usage
  3  the ledger said no
  4  Drip, NATS or Postgres can not be reached
  5  the outcome is unknown: it may have happened; asking again with the same key is safe
  6  done, but some lines of the input were bad
  7  verify found something wrong in the log or in the views
  8  interrupted: not done, run it again";

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Rejected = 3,
    Unreachable = 4,
    OutcomeUnknown = 5,
    BadLines = 6,
    FoundWrong = 7,
    Interrupted = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    what: String,
    causes: Vec<String>,
    way_out: Option<String>,
    key: Option<String>,
}

impl Failure {
    /// With one sentence about what happened.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), causes: vec![], way_out: None, key: None }
    }

    /// Adds why.
    #[must_use]
    pub(crate) fn because(mut self, cause: &dyn std::fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Says first what this means for the whole.
    #[must_use]
    pub(crate) fn under(mut self, what: impl Into<String>) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.what, what.into()));
        self
    }

    /// With another exit code.
    #[must_use]
    pub(crate) fn ending(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }

    /// Adds the next thing to try.
    #[must_use]
    pub(crate) fn try_this(mut self, way_out: impl Into<String>) -> Self {
        self.way_out = Some(way_out.into());
        self
    }

    /// What the process will end with.
    #[cfg(test)]
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Of a write under this key, which is told where asking again with it can help: nobody knows what became of the
    /// write, or the same write may succeed later.
    pub(crate) fn of_write(error: Error, key: &str) -> Self {
        let key = may_succeed(&error).then(|| key.to_owned());
        Self { key, ..Self::from(error) }
    }

    /// The whole chain of causes. That it was a task of ours which failed is no news to anybody: its error is.
    fn of_chain(exit: Exit, error: &anyhow::Error) -> Self {
        let of_task = matches!(error.downcast_ref(), Some(service_kit::StopReason::Failed { .. }));
        let mut sentences = error.chain().skip(usize::from(of_task)).map(ToString::to_string);
        let what = sentences.next().expect("an error has at least its own sentence");
        Self { exit, what, causes: sentences.collect(), way_out: None, key: None }
    }

    /// Prints it, and gives the exit code. A reader that went away is no failure: it has what it wanted.
    pub(crate) fn report(self) -> Exit {
        if self.exit == Exit::Done {
            return Exit::Done;
        }
        anstream::eprintln!("\x1b[1;31merror:\x1b[0m {}", self.what);
        for cause in &self.causes {
            anstream::eprintln!("  because {cause}");
        }
        if let Some(way_out) = &self.way_out {
            anstream::eprintln!("  {way_out}");
        }
        if let Some(key) = &self.key {
            anstream::eprintln!("  Run it again with --key {key}: nothing is done twice.");
        }
        self.exit
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let exit = if error.kind() == ErrorKind::BrokenPipe { Exit::Done } else { Exit::Failed };
        Self::new(exit, error.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        if is_out_of_reach(&error) {
            return Self::of_chain(Exit::Unreachable, &error);
        }
        let kind =
            error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
        let exit = match kind {
            Some(ErrorKind::BrokenPipe) => Exit::Done,
            Some(ErrorKind::ConnectionRefused | ErrorKind::TimedOut | ErrorKind::HostUnreachable) => {
                Exit::Unreachable
            }
            _ => Exit::Failed,
        };
        Self::of_chain(exit, &error)
    }
}

/// NATS or Postgres does not answer.
fn is_out_of_reach(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(cause.downcast_ref(), Some(event_log::OpenError::Unreachable { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(projector::Error::Unreachable { .. } | projector::Error::Unavailable { .. })
            )
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Rejected(problem) => rejected(&problem),
            Error::Unavailable { url, reason } if reason.contains("upstream_failed") => {
                let what =
                    format!("a provider that Drip at {url} needs did not do its part; nothing was done");
                Self::new(Exit::Unreachable, what)
                    .because(&reason)
                    .try_this("Try again; what the provider answered stands in the log of Drip's process.")
            }
            Error::Unavailable { url, reason } => {
                Self::new(Exit::Unreachable, format!("Drip at {url} can not answer; nothing was done"))
                    .because(&reason)
                    .try_this("Start it with `drip up`, or say where it is with --url or DRIP_URL.")
            }
            Error::OutcomeUnknown { url, key, reason } => {
                let what = format!("no answer came in time from Drip at {url}; it may have happened");
                let failure = Self::new(Exit::OutcomeUnknown, what).because(&reason);
                match key {
                    Some(_) => Self { key, ..failure },
                    None => failure.try_this("Run the same command again: what was done is not done twice."),
                }
            }
            Error::Protocol { url, reason } => {
                Self::new(Exit::Failed, format!("what answers at {url} does not speak this Drip's language"))
                    .because(&reason)
                    .try_this("Check --url, and that server and command have the same version.")
            }
            error => Self::new(Exit::Usage, error.to_string()),
        }
    }
}

fn rejected(problem: &Problem) -> Failure {
    let failure = Failure::new(Exit::Rejected, problem.to_string());
    match way_out(problem) {
        Some(way_out) => failure.try_this(way_out),
        None => failure,
    }
}

/// The same write, asked for again, may have another answer.
fn may_succeed(error: &Error) -> bool {
    match error {
        // Whoever sets it up will ask anew.
        Error::Rejected(problem) if problem.code == "not_configured" => false,
        // A code that is not the ledger's, or that of a newer one: its status tells.
        Error::Rejected(problem) => problem.code.parse().map_or(problem.status >= 500, Code::is_transient),
        Error::Unavailable { .. } | Error::OutcomeUnknown { .. } | Error::Protocol { .. } => true,
        _ => false,
    }
}

/// A new name would charge for all rows of a file again: that must not be learnt by trying.
fn other_file(mark: Option<u64>) -> String {
    let done = mark.map_or_else(
        || "Rows were charged already under this name".to_owned(),
        |mark| format!("The rows up to {mark} were charged already under this name"),
    );
    format!(
        "{done}. If this file is a repaired or rewritten version of it, put only the new or repaired rows into a file \
         of their own: under a new --source name ALL rows of this file would be charged again."
    )
}

fn way_out(problem: &Problem) -> Option<String> {
    if matches!(problem.code.as_str(), "source_differs" | "source_shorter") {
        return Some(other_file(problem.mark));
    }
    usual_way_out(&problem.code).map(str::to_owned)
}

fn usual_way_out(code: &str) -> Option<&'static str> {
    Some(match code {
        "account_unknown" => "Open the account with `drip account open USER`.",
        "insufficient_credit" => "Top up with `drip account deposit USER AMOUNT --key PAYMENT`.",
        "account_paused" => "Wake it with `drip restore USER`.",
        "restore_without_credit" => {
            "Top up with `drip account deposit USER AMOUNT --key PAYMENT`, or wake it without credit by --force."
        }
        "checkout_unknown" => "`drip checkouts` lists those that wait.",
        "checkouts_full" => {
            "Decide about those that wait: `drip checkouts USER`, then `drip checkouts resolve SESSION`."
        }
        "key_reused" => "Something else was done with this key: a new act needs a new --key.",
        "unauthorized" => "Check --api-key, DRIP_API_KEY or the dev.key of the data folder.",
        "source_gap" => {
            "Run the same command again: it begins at the first line, and nothing is charged twice."
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(code: &str) -> Error {
        Error::Rejected(Box::new(Problem { code: code.into(), mark: Some(7), ..Problem::default() }))
    }

    #[test]
    fn the_key_of_a_write_is_told_where_asking_again_can_help() {
        let text = String::new;
        let not_configured = Problem { code: "not_configured".into(), status: 501, ..Problem::default() };
        let not_configured = Error::Rejected(Box::new(not_configured));
        for (error, told) in [
            (Error::Unavailable { url: text(), reason: text() }, true),
            (Error::OutcomeUnknown { url: text(), key: Some("k".into()), reason: text() }, true),
            (Error::Protocol { url: text(), reason: text() }, true),
            // After a top-up, or in a moment.
            (problem("insufficient_credit"), true),
            (problem("deadline_passed"), true),
            (problem("amount_not_positive"), false),
            (problem("unauthorized"), false),
            (problem("key_reused"), false),
            (problem("key_expired"), false),
            (problem("a code of a newer Drip"), false),
            (not_configured, false),
            (Error::Invalid(text()), false),
        ] {
            let failure = Failure::of_write(error, "k");
            assert_eq!(failure.key.as_deref(), told.then_some("k"), "{failure:?}");
        }
    }

    #[test]
    fn nobody_is_told_to_charge_a_repaired_file_again() {
        for code in ["source_differs", "source_shorter"] {
            let way_out = Failure::from(problem(code)).way_out.unwrap();
            assert!(way_out.starts_with("The rows up to 7 were charged already"), "{way_out}");
            assert!(way_out.contains("ALL rows of this file would be charged again"), "{way_out}");
        }
    }

    #[test]
    fn every_failure_has_its_documented_exit_code() {
        let (url, reason) = (String::new(), String::new());
        let broken_pipe = || std::io::Error::from(ErrorKind::BrokenPipe);
        let refused = anyhow::Error::from(std::io::Error::from(ErrorKind::ConnectionRefused)).context("NATS");
        for (failure, exit) in [
            (Failure::from(problem("account_unknown")), Exit::Rejected),
            (Error::Unavailable { url: url.clone(), reason: reason.clone() }.into(), Exit::Unreachable),
            (
                Error::OutcomeUnknown { url: url.clone(), key: None, reason: reason.clone() }.into(),
                Exit::OutcomeUnknown,
            ),
            (Error::Protocol { url, reason }.into(), Exit::Failed),
            (Error::Invalid(String::new()).into(), Exit::Usage),
            (broken_pipe().into(), Exit::Done),
            (anyhow::Error::from(broken_pipe()).context("printing").into(), Exit::Done),
            (refused.into(), Exit::Unreachable),
            (anyhow::anyhow!("no").into(), Exit::Failed),
        ] {
            assert_eq!(failure.exit, exit, "{failure:?}");
            let line = format!("  {}  ", failure.exit as u8);
            assert!(EXIT_CODES.contains(&line), "{line:?} is not documented");
        }
    }
}
