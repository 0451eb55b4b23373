//! Requests and answers about checkout sessions.

use ledger_core::upkeep::ParkReason;
use ledger_core::{AccountId, Key, Usdc, UserId};
use projector::upkeep::{CheckoutRow, CheckoutState};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::edge::auth::Principal;
use crate::edge::decimal::Decimal;
use crate::edge::dto::convert::{account, amount, optional, required};
use crate::edge::problem::Problem;
use crate::edge::time::to_rfc3339;

/// How long what the payer reads may be, and where the page leads, in characters.
const DESCRIPTION_MAX: usize = 200;
const URL_MAX: usize = 1_000;

/// A checkout session is to be opened.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// Must be the caller's own.
    pub app: Option<String>,
    /// The user (over HTTP the path names it).
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub user_id: Option<String>,
    /// What the user pays, in USDC, at most six decimals.
    #[schema(required, value_type = Decimal)]
    pub amount: Option<Decimal>,
    /// What the payer reads.
    #[schema(max_length = 200)]
    pub description: Option<String>,
    /// Where the page leads after a payment.
    #[schema(max_length = 1000, pattern = "^https?://[!-~]+$")]
    pub success_url: Option<String>,
    /// Where it leads when the payer turns back.
    #[schema(max_length = 1000, pattern = "^https?://[!-~]+$")]
    pub cancel_url: Option<String>,
    /// The caller's idempotency key: the same key again answers the same session.
    #[schema(
        min_length = 1,
        max_length = 200,
        pattern = "^[^$\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$"
    )]
    pub key: Option<String>,
    /// RFC 3339; at most 30 seconds ahead. After it nothing is decided.
    #[schema(format = DateTime)]
    pub deadline: Option<String>,
}

/// What a checkout session is asked for, checked.
#[derive(Debug)]
pub struct CheckedCheckout {
    /// The account that it will pay.
    pub account: AccountId,
    /// How much.
    pub amount: Usdc,
    /// The caller's key.
    pub key: Option<Key>,
    /// What the payer reads.
    pub description: Option<String>,
    /// Where the page leads after a payment.
    pub success_url: Option<String>,
    /// Where it leads when the payer turns back.
    pub cancel_url: Option<String>,
}

impl CheckoutRequest {
    /// What it asks for. Problem: the first field that can not be what it should.
    pub fn check(self, who: &Principal) -> Result<CheckedCheckout, Problem> {
        Ok(CheckedCheckout {
            account: account(who, &required("user_id", self.user_id)?)?,
            amount: amount("amount", &required("amount", self.amount)?)?,
            key: optional("key", self.key, Key::new)?,
            description: self.description.map(checked_description).transpose()?,
            success_url: self.success_url.map(|url| checked_url("success_url", url)).transpose()?,
            cancel_url: self.cancel_url.map(|url| checked_url("cancel_url", url)).transpose()?,
        })
    }
}

fn checked_description(text: String) -> Result<String, Problem> {
    let rule = format_args!("must be at most {DESCRIPTION_MAX} characters");
    let fits = text.chars().count() <= DESCRIPTION_MAX;
    if fits { Ok(text) } else { Err(Problem::invalid("description", rule)) }
}

fn checked_url(field: &str, url: String) -> Result<String, Problem> {
    if url.len() > URL_MAX {
        return Err(Problem::invalid(field, format_args!("must be at most {URL_MAX} bytes")));
    }
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let leads = rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic()));
    if leads { Ok(url) } else { Err(Problem::invalid(field, "must be an http or https URL")) }
}

/// What a person decides about a session that waits: `credit` or `dismiss`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveRequest {
    /// It brings this, whatever was asked for. In USDC.
    pub credit: Option<Decimal>,
    /// Nothing comes of it.
    #[serde(default)]
    pub dismiss: bool,
}

/// A checkout session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckoutSession)]
pub struct CheckoutBody {
    /// Its id.
    pub id: String,
    /// The user that it pays.
    #[schema(value_type = String)]
    pub user_id: UserId,
    /// What it asks for, in USDC.
    #[schema(value_type = String, example = "5")]
    pub amount: Usdc,
    /// Where the user pays.
    pub url: String,
    /// `pending`, `paid`, `parked` (it waits for a person) or `dismissed`.
    #[schema(value_type = String, example = "pending")]
    pub state: CheckoutState,
    /// Why it is parked: `expired`, `cancelled`, `amount_differs` or `refused`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<ParkReason>,
    /// What was paid, where it is parked and that is known, in USDC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub paid: Option<Usdc>,
    /// When it expires.
    pub expires_at: String,
    /// When it was opened; absent while the views do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opened_at: Option<String>,
}

impl CheckoutBody {
    /// As the views know it.
    pub fn of(row: CheckoutRow) -> Self {
        Self {
            id: row.session,
            user_id: row.account.user,
            amount: row.amount,
            url: row.url,
            state: row.state,
            reason: row.reason,
            paid: row.paid,
            expires_at: to_rfc3339(row.expires_at),
            opened_at: Some(to_rfc3339(row.opened_at)),
        }
    }
}

/// Checkout sessions.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CheckoutSessions)]
pub struct CheckoutPage {
    /// The sessions.
    pub data: Vec<CheckoutBody>,
}

#[cfg(test)]
mod tests {
    use ledger_core::{AppId, Label};

    use super::*;

    fn refused(change: impl FnOnce(&mut CheckoutRequest)) -> Option<String> {
        let who = Principal { app: AppId::new("demo").unwrap(), actor: Label::new("key:dev").unwrap() };
        let mut body: CheckoutRequest = serde_json::from_str(r#"{"user_id":"anna","amount":"5"}"#).unwrap();
        change(&mut body);
        body.check(&who).err().and_then(|problem| problem.body().field.clone())
    }

    #[test]
    fn what_the_payer_reads_and_where_the_page_leads_is_bounded() {
        assert_eq!(refused(|body| body.description = Some("🦀".repeat(200))), None);
        let long = refused(|body| body.description = Some("x".repeat(201)));
        assert_eq!(long.as_deref(), Some("description"));
        for (url, good) in [
            ("https://example.org/a?b=c#d", true),
            ("http://localhost:3000", true),
            ("https://", false),
            ("ftp://example.org", false),
            ("javascript:alert(1)", false),
            ("https://example.org/ a", false),
            ("https://exämple.org", false),
            (&format!("https://{}", "a".repeat(993)), false),
        ] {
            let success = refused(|body| body.success_url = Some(url.to_owned()));
            assert_eq!(success, (!good).then(|| "success_url".to_owned()), "{url}");
            let cancel = refused(|body| body.cancel_url = Some(url.to_owned()));
            assert_eq!(cancel, (!good).then(|| "cancel_url".to_owned()), "{url}");
        }
    }
}
