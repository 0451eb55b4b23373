//! What a status and its body mean, by the manners of each service.

use std::time::Duration;

use chrono::DateTime;
use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use serde::Deserialize;

use crate::error::{Error, ErrorKind};
use crate::http::{Answer, Call, Service};
use crate::lenient;

/// What the services say with a "no", all shapes together. `error` and `message` are Locus's, `code` and `message`
/// AgentMail's (documented); an approval stands in `data` or flat.
#[derive(Default, Deserialize)]
struct Said {
    #[serde(default, deserialize_with = "lenient::option")]
    success: Option<bool>,
    #[serde(default, deserialize_with = "lenient::option")]
    error: Option<String>,
    #[serde(default, deserialize_with = "lenient::option")]
    message: Option<String>,
    #[serde(default, deserialize_with = "lenient::option")]
    code: Option<String>,
    #[serde(default, deserialize_with = "lenient::option")]
    data: Option<Approval>,
    #[serde(skip)]
    flat: Option<Approval>,
}

impl Said {
    /// An answer that is no JSON object says nothing but its status.
    fn read(body: &str) -> Self {
        let said: Self = serde_json::from_str(body).unwrap_or_default();
        Self { flat: serde_json::from_str(body).ok(), ..said }
    }
}

#[derive(Deserialize)]
struct Approval {
    #[serde(default, deserialize_with = "lenient::option")]
    approval_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::option")]
    pending_approval_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::option")]
    status: Option<String>,
}

impl Approval {
    fn is_pending(&self) -> bool {
        let pending = |status: &String| status.eq_ignore_ascii_case("PENDING_APPROVAL");
        self.approval_url.is_some()
            || self.pending_approval_id.is_some()
            || self.status.as_ref().is_some_and(pending)
    }
}

/// The answer when it is a success, else what kind of "no" it is.
pub(crate) fn check(
    service: Service,
    call: &Call,
    answer: Answer,
    after: Option<Duration>,
) -> Result<Answer, Error> {
    let said = Said::read(&answer.body);
    let Some(kind) = kind(service, answer.status, &said, after) else { return Ok(answer) };
    let own = answer.own.as_ref();
    let error = Error::new(kind, call.name(), call.shown(&answer.body, own));
    let code = said.code.as_ref().map(|code| call.shown(code, own));
    let error = error.with_after(after).with_code(code.filter(|_| service == Service::Mail));
    let own_words = said.error.is_some() || said.message.is_some();
    // A proxy's 502 says only that it lost the answer.
    let free = answer.status == StatusCode::BAD_GATEWAY && call.is_upstream_free() && own_words;
    Err(if free { error.harmless() } else { error })
}

fn kind(service: Service, status: StatusCode, said: &Said, after: Option<Duration>) -> Option<ErrorKind> {
    Some(match status.as_u16() {
        202 if service == Service::Pay => return pending(said),
        200..=299 if service == Service::Pay && said.success == Some(false) => {
            ErrorKind::Rejected { status: status.as_u16() }
        }
        200..=299 => return None,
        401 => ErrorKind::Auth,
        402 => ErrorKind::InsufficientFunds,
        403 => forbidden(service, said),
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        410 => ErrorKind::Gone,
        429 => ErrorKind::RateLimited { after },
        status @ (408 | 500..=599) => ErrorKind::Upstream { status },
        status => ErrorKind::Rejected { status },
    })
}

/// A 202 that asks for an approval; any other is a success.
fn pending(said: &Said) -> Option<ErrorKind> {
    let approvals = [&said.data, &said.flat].into_iter().flatten();
    let approval = approvals.into_iter().find(|approval| approval.is_pending())?;
    Some(ErrorKind::PendingApproval { approval_url: approval.approval_url.clone() })
}

fn forbidden(service: Service, said: &Said) -> ErrorKind {
    match (service, said.code.as_deref()) {
        // AgentMail's gateway answers a bad key so, without a code (documented).
        (Service::Mail, None) => ErrorKind::Auth,
        (Service::Mail, Some("resource_taken" | "already_exists")) => ErrorKind::Conflict,
        (Service::Mail, Some("message_rejected")) => ErrorKind::Rejected { status: 403 },
        (Service::Pay, _) if says_empty(said) => ErrorKind::InsufficientFunds,
        _ => ErrorKind::Policy,
    }
}

/// An empty wallet is a 403 too, told from a rule only by its text (seen in beta).
fn says_empty(said: &Said) -> bool {
    let text =
        [&said.error, &said.message].map(|text| text.as_deref().unwrap_or_default().to_lowercase()).join(" ");
    text.contains("insufficient")
        && ["usdc", "fund", "balance", "credit"].iter().any(|word| text.contains(word))
}

/// How long the service asks to wait: seconds, or a date, which is held against the answer's own date because the two
/// clocks may differ.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok();
    let wanted = text(RETRY_AFTER)?.trim();
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) =
        (DateTime::parse_from_rfc2822(wanted).ok()?, DateTime::parse_from_rfc2822(text(DATE)?).ok()?);
    (until - now).to_std().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind_of(service: Service, status: u16, body: &str) -> Option<ErrorKind> {
        let said = Said::read(body);
        kind(service, StatusCode::from_u16(status).unwrap(), &said, None)
    }

    #[test]
    fn a_wrapped_call_that_waits_for_a_human_is_known_in_both_shapes() {
        let approval_url = Some("https://x/a".to_owned());
        for body in [
            r#"{"success":true,"data":{"pending_approval_id":"pa","approval_url":"https://x/a","status":"PENDING_APPROVAL"}}"#,
            r#"{"success":true,"approval_url":"https://x/a","status":"PENDING_APPROVAL"}"#,
        ] {
            let wanted = ErrorKind::PendingApproval { approval_url: approval_url.clone() };
            assert_eq!(kind_of(Service::Pay, 202, body), Some(wanted), "{body}");
        }
        assert_eq!(kind_of(Service::Pay, 202, r#"{"success":true,"data":{"status":"QUEUED"}}"#), None);
        assert_eq!(kind_of(Service::Build, 202, r#"{"approval_url":"x"}"#), None);
    }

    #[test]
    fn a_403_has_many_meanings() {
        use ErrorKind::{Auth, Conflict, InsufficientFunds, Policy, Rejected};
        for (service, body, wanted) in [
            (Service::Pay, r#"{"error":"API disabled","message":"exa is off"}"#, Policy),
            (
                Service::Pay,
                r#"{"error":"Forbidden","message":"Insufficient USDC balance"}"#,
                InsufficientFunds,
            ),
            (Service::Pay, r#"{"error":"Insufficient permissions"}"#, Policy),
            (Service::Pay, "<html>", Policy),
            (Service::Build, r#"{"error":"Insufficient credits"}"#, Policy),
            (Service::Mail, r#"{"message":"Forbidden"}"#, Auth),
            (Service::Mail, r#"{"code":"message_rejected"}"#, Rejected { status: 403 }),
            (Service::Mail, r#"{"code":"resource_taken"}"#, Conflict),
            (Service::Mail, r#"{"code":"limit_exceeded"}"#, Policy),
        ] {
            assert_eq!(kind_of(service, 403, body), Some(wanted), "{body}");
        }
    }

    #[test]
    fn a_success_may_say_no() {
        assert_eq!(
            kind_of(Service::Pay, 200, r#"{"success":false}"#),
            Some(ErrorKind::Rejected { status: 200 })
        );
        assert_eq!(kind_of(Service::Build, 200, r#"{"success":false}"#), None);
    }

    #[test]
    fn the_wait_is_read_in_seconds_or_as_a_date() {
        let after = |retry: &str, date: Option<&str>| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry.parse().unwrap());
            date.map(|date| headers.insert(DATE, date.parse().unwrap()));
            retry_after(&headers).map(|after| after.as_secs())
        };
        let (now, later) = ("Wed, 21 Oct 2015 07:28:00 GMT", "Wed, 21 Oct 2015 07:30:05 GMT");
        assert_eq!(after("17", None), Some(17));
        assert_eq!(after(later, Some(now)), Some(125));
        assert_eq!(after(now, Some(later)), None);
        assert_eq!(after(later, None), None);
        assert_eq!(after("soon", Some(now)), None);
        assert_eq!(retry_after(&HeaderMap::new()), None);
    }
}
