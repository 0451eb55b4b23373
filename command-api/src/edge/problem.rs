//! Problems: every answer that is not a success, as RFC 9457 asks for it, from one table of stable codes.

use std::fmt::Write as _;

use ledger_core::rejection::{Code, Details};
use ledger_core::{Key, PartitionId, Rejection, Usdc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::ask::Failure;

/// The page that explains every code; a problem's `type` points into it.
pub const PROBLEMS_PAGE: &str = "/docs/problems";

/// One table makes the enum, its text form and the page.
macro_rules! edge_codes {
    ($($variant:ident = $code:literal, $status:literal, $title:literal;)*) => {
        /// The codes of the edges themselves: what is wrong before the ledger is asked, or when it can not answer.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum EdgeCode {
            $(#[doc = $title] $variant,)*
        }

        impl EdgeCode {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// One sentence for people.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// The HTTP status it is answered with.
            pub fn http_status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }
        }
    };
}

edge_codes! {
    MalformedJson = "malformed_json", 400, "The body is not JSON.";
    MalformedMsgpack = "malformed_msgpack", 400, "The body is not MessagePack.";
    KeyRequired = "key_required", 400, "Money in needs a key, so that it can never be booked twice.";
    KeyConflict = "key_conflict", 400, "The body and the Idempotency-Key header name different keys.";
    InvalidCursor = "invalid_cursor", 400, "The cursor is not one that this list gave out.";
    Unauthorized = "unauthorized", 401, "The API key is missing or unknown.";
    Forbidden = "forbidden", 403, "The key may not do this.";
    AppMismatch = "app_mismatch", 403, "The request names an app that is not the caller's.";
    NotFound = "not_found", 404, "There is nothing here.";
    MethodNotAllowed = "method_not_allowed", 405, "This path does not answer that method.";
    PayloadTooLarge = "payload_too_large", 413, "The request, or the answer it would get, is too large.";
    UnsupportedMediaType = "unsupported_media_type", 415, "The body must be sent as application/json, or as application/msgpack where that is taken.";
    UnknownField = "unknown_field", 422, "The request has a field that is not known here.";
    MissingField = "missing_field", 422, "The request lacks a field.";
    InvalidField = "invalid_field", 422, "A field holds something it can not hold.";
    NotConfigured = "not_configured", 501, "This Drip was not set up for that.";
    UpstreamFailed = "upstream_failed", 502, "A service that Drip needs for this did not do its part; ask again.";
    Internal = "internal", 500, "Drip has a bug; it is in the log under the request id.";
    Overloaded = "overloaded", 503, "Too much is waiting; nothing was done, try again soon.";
    Unavailable = "unavailable", 503, "The log or the views can not be reached; nothing was done.";
    OutcomeUnknown = "outcome_unknown", 504, "It may have happened; ask again with the same key.";
}

/// A problem. Small to pass around; see [`ProblemBody`] for what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Problem(Box<ProblemBody>);

/// What a caller is told when something is not done (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody {
    /// Where the code is explained: `/docs/problems#insufficient_credit`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence that is always the same for the code.
    #[schema(value_type = String)]
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The stable code. Build on this.
    #[schema(value_type = String, example = "insufficient_credit")]
    pub code: &'static str,
    /// What it was this time, for people.
    pub detail: String,
    /// The field it is about, as a path into the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "debits[3].amount")]
    pub field: Option<String>,
    /// The request, as the server's log names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// A debit, deposit or grant: the key it was tried under, the caller's or the one that was made. To ask again
    /// for the same act, send this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub key: Option<Key>,
    /// `insufficient_credit`: what was due, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "0.007")]
    pub needed: Option<Usdc>,
    /// `insufficient_credit`: what the account could have spent, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub available: Option<Usdc>,
    /// `insufficient_credit`: how much is missing, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub shortfall: Option<Usdc>,
    /// `source_gap`, `source_shorter`, `source_differs`: the number of the last item that is done with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
    /// `wrong_partition`: the partition that decides for the account.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u16>)]
    pub partition: Option<PartitionId>,
    /// In how many seconds to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
}

impl Problem {
    /// A problem of an edge, with what it was this time.
    pub fn new(code: EdgeCode, detail: impl Into<String>) -> Self {
        let mut problem = Self::of(code.as_str(), code.http_status(), code.title(), detail.into());
        problem.0.retry_after = match code {
            EdgeCode::Overloaded => Some(1),
            EdgeCode::Unavailable => Some(2),
            _ => None,
        };
        problem
    }

    /// A field holds something it can not hold; the detail is the end of the sentence that its name begins.
    pub fn invalid(field: &str, rule: impl std::fmt::Display) -> Self {
        Self::new(EdgeCode::InvalidField, format!("{field} {rule}")).at(field)
    }

    /// A field is missing.
    pub fn missing(field: &str) -> Self {
        Self::new(EdgeCode::MissingField, format!("{field} is missing")).at(field)
    }

    /// Our own bug. The cause goes to the log, not to the caller.
    pub fn internal() -> Self {
        Self::new(EdgeCode::Internal, EdgeCode::Internal.title())
    }

    fn of(code: &'static str, status: u16, title: &'static str, detail: String) -> Self {
        Self(Box::new(ProblemBody {
            kind: format!("{PROBLEMS_PAGE}#{code}"),
            title,
            status,
            code,
            detail,
            field: None,
            request_id: None,
            key: None,
            needed: None,
            available: None,
            shortfall: None,
            mark: None,
            partition: None,
            retry_after: None,
        }))
    }

    /// Names the field.
    #[must_use]
    pub fn at(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned());
        self
    }

    /// Names the field, and what it must be: the end of the sentence that its name begins.
    #[must_use]
    pub fn saying(mut self, field: &str, rule: &str) -> Self {
        self.0.detail = format!("{field} {rule}");
        self.at(field)
    }

    /// Says what it was this time.
    #[must_use]
    pub fn explained(mut self, detail: &str) -> Self {
        detail.clone_into(&mut self.0.detail);
        self
    }

    /// Names the request.
    #[must_use]
    pub fn of_request(mut self, id: &str) -> Self {
        self.0.request_id = Some(id.to_owned());
        self
    }

    /// Names the key of the act, where it has one.
    #[must_use]
    pub fn of_key(mut self, key: Option<Key>) -> Self {
        self.0.key = key;
        self
    }

    /// Says that the field lies inside `parent`: `amount` under `debits[3]` is `debits[3].amount`.
    #[must_use]
    pub fn under(mut self, parent: &str) -> Self {
        if let Some(field) = self.0.field.take() {
            let path = format!("{parent}.{field}");
            if let Some(rule) = self.0.detail.strip_prefix(&field) {
                self.0.detail = format!("{path}{rule}");
            }
            self.0.field = Some(path);
        }
        self
    }

    /// What it says.
    pub fn body(&self) -> &ProblemBody {
        &self.0
    }
}

impl From<Rejection> for Problem {
    fn from(rejection: Rejection) -> Self {
        let code = rejection.code;
        let mut problem = Self::of(code.as_str(), code.http_status(), code.title(), code.title().to_owned());
        let body = &mut problem.0;
        match rejection.details {
            Details::None => {}
            Details::Credit { needed, available } => {
                body.detail = format!("It takes {needed} USDC, and the account has {available}.");
                (body.needed, body.available) = (Some(needed), Some(available));
                body.shortfall = needed.checked_sub(available);
            }
            Details::Mark { to } => {
                body.detail = format!("{} It is known up to item {to}.", code.title());
                body.mark = Some(to);
            }
            Details::Owner { partition } => {
                body.detail = format!("Partition {partition} decides for it.");
                body.partition = Some(partition);
            }
        }
        problem
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Rejection::from(code).into()
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Overloaded => Self::new(EdgeCode::Overloaded, EdgeCode::Overloaded.title()),
            Failure::Unavailable(reason) => Self::new(EdgeCode::Unavailable, reason),
            Failure::OutcomeUnknown => {
                let detail = "The deadline passed while it was under way. It may have happened, or may still: ask \
                              again with the same key, and it happens once.";
                Self::new(EdgeCode::OutcomeUnknown, detail)
            }
        }
    }
}

/// The page of all codes, as Markdown and readable as it stands.
pub fn problems_page() -> String {
    let edge = EdgeCode::ALL.iter().map(|code| (code.as_str(), code.http_status(), code.title()));
    let ledger = Code::ALL.iter().map(|code| (code.as_str(), code.http_status(), code.title()));
    let mut page = String::from(
        "# Problems\n\nEvery error answers `application/problem+json` with one of these codes.\n",
    );
    for (chapter, codes) in
        [("The request", edge.collect::<Vec<_>>()), ("The ledger's answer", ledger.collect())]
    {
        let _ = writeln!(page, "\n## {chapter}\n\n| code | status | meaning |\n|---|---|---|");
        for (code, status, title) in codes {
            let _ = writeln!(page, "| `{code}` | {status} | {title} |");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_stands_once_and_on_the_page() {
        let page = problems_page();
        let codes =
            EdgeCode::ALL.iter().map(|code| code.as_str()).chain(Code::ALL.iter().map(|code| code.as_str()));
        for code in codes {
            assert_eq!(page.matches(&format!("| `{code}` |")).count(), 1, "{code}");
        }
    }

    #[test]
    fn want_of_credit_says_how_much_is_missing() {
        let details =
            Details::Credit { needed: Usdc::from_credits(7_000), available: Usdc::from_credits(5_000) };
        let problem = Problem::from(Rejection { code: Code::InsufficientCredit, details });
        let shown = serde_json::to_value(&problem).unwrap();
        for (name, value) in [("needed", "0.007"), ("available", "0.005"), ("shortfall", "0.002")] {
            assert_eq!(shown[name], value);
        }
        assert_eq!(
            (shown["status"].as_u64(), &shown["type"]),
            (Some(402), &"/docs/problems#insufficient_credit".into())
        );
    }

    #[test]
    fn the_wrong_partition_says_which_is_the_right_one() {
        let details = Details::Owner { partition: PartitionId(3) };
        let problem = Problem::from(Rejection { code: Code::WrongPartition, details });
        assert_eq!((problem.body().status, problem.body().partition), (421, Some(PartitionId(3))));
        assert_eq!(problem.body().detail, "Partition 3 decides for it.");
    }

    #[test]
    fn a_field_is_named_by_its_whole_path() {
        let problem = Problem::invalid("amount", "has more than 6 decimals").under("debits[3]");
        assert_eq!(problem.body().field.as_deref(), Some("debits[3].amount"));
        assert_eq!(problem.body().detail, "debits[3].amount has more than 6 decimals");
    }

    #[test]
    fn only_what_may_be_tried_again_says_when() {
        for code in EdgeCode::ALL {
            let problem = Problem::new(*code, "x");
            assert_eq!(problem.body().retry_after.is_some(), code.http_status() == 503, "{}", code.as_str());
        }
    }
}
