//! How a call can fail: one type for all services.

use std::fmt;
use std::time::Duration;

/// Why there is no answer, or not the wanted one.
///
/// It says which call it was (method and path, without the query), what went wrong, and the beginning of what the
/// service said, with everything hidden that looks like a key, a token or a secret.
#[derive(Debug, Clone)]
pub struct Error(Box<Parts>);

#[derive(Debug, Clone)]
struct Parts {
    kind: ErrorKind,
    call: String,
    code: Option<String>,
    detail: String,
    after: Option<Duration>,
    ambiguous: bool,
    repeatable: bool,
}

/// What kind of failure it is. Clients branch on this and, for AgentMail, on [`Error::code`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ErrorKind {
    /// The call can not be sent as it is; nothing was sent. The detail says what to change.
    #[error("it can not be sent as it is")]
    Invalid,
    /// No answer. Not ambiguous when no connection came about, so that nothing was sent; ambiguous when the request was
    /// on its way and no whole answer came in time.
    #[error("{}", if *.ambiguous { "it was sent and no whole answer came" } else { "the service was not reached" })]
    Transport {
        /// The request may have been executed.
        ambiguous: bool,
    },
    /// 401, or AgentMail's bare 403: the key is wrong, belongs to another environment, or the token was refused twice.
    #[error("the key is not accepted: it is wrong, or of another environment")]
    Auth,
    /// 403: the service's rules forbid it, such as an allowance, a cap on one transaction, a provider that is disabled,
    /// or a permission the key lacks.
    #[error("the service's rules forbid it")]
    Policy,
    /// 402, or a 403 whose text says that funds are insufficient (seen in beta for wrapped calls). The text is all
    /// there is to tell that 403 from [`Self::Policy`], so read the balance before acting on either.
    #[error("the funds do not suffice")]
    InsufficientFunds,
    /// 404: it is not there, or not in this environment.
    #[error("it is not there")]
    NotFound,
    /// 409, or AgentMail's 403 for a name that is taken.
    #[error("it conflicts with what is there")]
    Conflict,
    /// 410: a checkout session that has expired.
    #[error("it has expired")]
    Gone,
    /// 429: nothing was done.
    #[error("too many calls{}", after_text(*.after))]
    RateLimited {
        /// How long the service asks to wait; `None` when it does not say.
        after: Option<Duration>,
    },
    /// 5xx or 408: the service failed. It may have done what was asked, except where the service is documented to say
    /// otherwise: a wrapped call that is answered 502 in the API's own words was not charged.
    #[error("the service failed with status {status}")]
    Upstream {
        /// The HTTP status.
        status: u16,
    },
    /// Any other refusal. Nothing was done, and the same call will be refused again.
    #[error("it was refused with status {status}")]
    Rejected {
        /// The HTTP status. A success is possible here: PayWithLocus can say `"success": false` with a 200.
        status: u16,
    },
    /// 202: PayWithLocus waits for a human to approve the payment (documented). Poll, do not send it again.
    #[error("it waits for an approval by a human")]
    PendingApproval {
        /// Where to approve it; not shown by `Display`. `None` when the answer had none.
        approval_url: Option<String>,
    },
    /// A success that can not be read: the call was executed, and what came of it is unknown.
    #[error("it succeeded and the answer can not be read")]
    Decode {
        /// The beginning of the answer, without secrets.
        snippet: String,
    },
}

fn after_text(after: Option<Duration>) -> String {
    after.map(|after| format!(": wait {} s", after.as_secs())).unwrap_or_default()
}

impl ErrorKind {
    fn is_ambiguous(&self) -> bool {
        match self {
            Self::Transport { ambiguous } => *ambiguous,
            Self::Upstream { .. } | Self::Decode { .. } => true,
            _ => false,
        }
    }

    const fn is_transient(&self) -> bool {
        matches!(self, Self::Transport { .. } | Self::RateLimited { .. } | Self::Upstream { .. })
    }
}

/// AgentMail's code for two requests that met: the later one may be sent again (documented).
const RACE: &str = "race_condition";

impl Error {
    /// An error of this kind, of a call and with what was said: for whatever stands in for the services.
    pub fn new(kind: ErrorKind, call: impl Into<String>, detail: impl Into<String>) -> Self {
        let after = match kind {
            ErrorKind::RateLimited { after } => after,
            _ => None,
        };
        let ambiguous = kind.is_ambiguous();
        let (call, detail) = (call.into(), detail.into());
        Self(Box::new(Parts { kind, call, code: None, detail, after, ambiguous, repeatable: false }))
    }

    pub(crate) fn invalid(call: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, call, detail)
    }

    /// What kind of failure it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// AgentMail's stable code, such as `message_rejected` (documented). The Locus services have none.
    pub fn code(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// How long the service asks to wait before the next call (`Retry-After`).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.after
    }

    /// The request may have been executed, by this or an earlier attempt of the call: find out before sending anything
    /// like it again. After [`ErrorKind::Decode`] it certainly was.
    pub fn is_ambiguous(&self) -> bool {
        self.0.ambiguous
    }

    /// The very same call may be sent again later: it can do no harm, and it may succeed. True of failures that pass,
    /// when nothing was done or the call is one that may be repeated (a read, absolute values, a deletion, a mail under
    /// an idempotency key). The client has made its own attempts by then.
    pub fn is_retryable(&self) -> bool {
        let passes = self.0.kind.is_transient() || self.code() == Some(RACE);
        passes && (self.0.repeatable || !self.0.ambiguous)
    }

    /// The same error of a call that may be repeated.
    pub(crate) fn repeatable(mut self, repeatable: bool) -> Self {
        self.0.repeatable = repeatable;
        self
    }

    /// The same error after an earlier attempt whose fate is unknown.
    pub(crate) fn after_doubt(mut self, doubt: bool) -> Self {
        self.0.ambiguous |= doubt;
        self
    }

    /// The same error of a step that changes nothing, before the call itself was sent.
    pub(crate) fn before_sending(mut self) -> Self {
        self.0.ambiguous = false;
        if let ErrorKind::Transport { ambiguous } = &mut self.0.kind {
            *ambiguous = false;
        }
        self
    }

    /// The same error of a call that is documented to have done nothing.
    pub(crate) fn harmless(mut self) -> Self {
        self.0.ambiguous = false;
        self
    }

    pub(crate) fn with_code(mut self, code: Option<String>) -> Self {
        self.0.code = code;
        self
    }

    pub(crate) fn with_after(mut self, after: Option<Duration>) -> Self {
        self.0.after = after;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { kind, call, code, detail, ambiguous, .. } = &*self.0;
        write!(f, "{call}: {kind}")?;
        if *ambiguous && !kind.is_ambiguous() {
            f.write_str(", after an attempt that may have been executed")?;
        }
        if let Some(code) = code {
            write!(f, " ({code})")?;
        }
        if detail.is_empty() { Ok(()) } else { write!(f, ": {detail}") }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "POST /x", "said so")
    }

    #[test]
    fn what_may_have_happened_is_told_from_what_may_be_sent_again() {
        use ErrorKind::{Decode, NotFound, Rejected, Transport, Upstream};
        let after = Some(Duration::from_secs(7));
        for (kind, ambiguous, once, repeatable) in [
            (Transport { ambiguous: false }, false, true, true),
            (Transport { ambiguous: true }, true, false, true),
            (ErrorKind::RateLimited { after }, false, true, true),
            (Upstream { status: 500 }, true, false, true),
            (Decode { snippet: String::new() }, true, false, false),
            (NotFound, false, false, false),
            (Rejected { status: 400 }, false, false, false),
            (ErrorKind::PendingApproval { approval_url: None }, false, false, false),
        ] {
            let error = error(kind.clone());
            assert_eq!(error.is_ambiguous(), ambiguous, "{kind:?}");
            assert_eq!(error.is_retryable(), once, "{kind:?}");
            assert_eq!(error.repeatable(true).is_retryable(), repeatable, "{kind:?}");
        }
    }

    #[test]
    fn doubt_stays() {
        let error = error(ErrorKind::Conflict).after_doubt(true);
        assert!(error.is_ambiguous() && !error.is_retryable());
        let said =
            "POST /x: it conflicts with what is there, after an attempt that may have been executed: said so";
        assert_eq!(error.to_string(), said);
    }

    #[test]
    fn a_race_may_be_run_again() {
        let race = error(ErrorKind::Conflict).with_code(Some(RACE.to_owned()));
        assert!(race.is_retryable());
        assert_eq!(race.to_string(), "POST /x: it conflicts with what is there (race_condition): said so");
    }
}
