//! A mail as it is written, once, before the first attempt; and the names it is known by.

use ledger_core::upkeep::NoticeKind;
use ledger_core::{AccountId, LogId, Timestamp, Usdc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::error::Error;
use crate::templates::{Fields, Templates, word};
use crate::work::OpenMail;

/// How many characters of the key a person is shown.
const REFERENCE_LEN: usize = 12;

/// A mail as the ledger keeps it from the first attempt on: every attempt sends the same bytes, whatever has become
/// of templates, balances and settings.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Debug))]
pub struct Letter {
    /// The inbox it is sent from.
    pub from: String,
    /// The user's address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// Stands in the text, to find it by.
    pub reference: String,
    /// A moment before the first attempt.
    pub written_at: Timestamp,
}

/// The name of a mail at the provider, where it is sent once under it. The log is part of it, because the provider
/// knows all Drips of an organisation.
pub(crate) fn key(log: LogId, account: &AccountId, kind: NoticeKind, epoch: u32) -> String {
    // No name holds a line end.
    let AccountId { app, user } = account;
    hex::encode(Sha256::digest(format!("drip mail\n{log}\n{app}\n{user}\n{}\n{epoch}", word(kind))))
}

/// The short form of a key, for people.
pub(crate) fn reference(key: &str) -> &str {
    key.get(..REFERENCE_LEN).unwrap_or(key)
}

/// What all mails are written with.
#[derive(Debug)]
pub(crate) struct Desk {
    templates: Templates,
    top_up_url: Option<String>,
}

impl Desk {
    /// Errors: a template or the address for topping up is not usable.
    pub(crate) fn new(config: &Config) -> Result<Self, Error> {
        let templates = Templates::load(config.templates.as_deref())?;
        config.top_up_url.as_deref().map_or(Ok(()), check_pattern)?;
        Ok(Self { templates, top_up_url: config.top_up_url.clone() })
    }

    /// Writes a mail. `None`: the template fails on this account.
    pub(crate) fn write(
        &self,
        config: &Config,
        account: &AccountId,
        mail: &OpenMail,
        to: &str,
        now: Timestamp,
    ) -> Option<Letter> {
        let key = key(config.log.identity().log, account, mail.notice.kind, mail.notice.epoch);
        let fields = self.fields(config, account, mail, reference(&key));
        let rendered = self.templates.render(&fields)?;
        Some(Letter {
            from: config.transport.inbox().to_owned(),
            to: to.to_owned(),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            reference: fields.reference,
            written_at: now,
        })
    }

    fn fields(&self, config: &Config, account: &AccountId, mail: &OpenMail, reference: &str) -> Fields {
        // A line end in a name would end the subject.
        let one_line = |name: &String| name.split_whitespace().collect::<Vec<_>>().join(" ");
        let name = config.app_names.get(&account.app).map(one_line);
        Fields {
            app_name: name.unwrap_or_else(|| account.app.to_string()),
            user_id: account.user.to_string(),
            balance: mail.balance.to_string(),
            baseline: mail.baseline.to_string(),
            percent_left: percent(mail.balance, mail.baseline).to_string(),
            top_up_url: self.top_up_url.as_ref().map(|pattern| fill(pattern, account)),
            reference: reference.to_owned(),
            kind: mail.notice.kind,
        }
    }
}

/// Whole percent, rounded down, so that it never says more than there is.
fn percent(balance: Usdc, baseline: Usdc) -> i128 {
    let (balance, baseline) = (i128::from(balance.credits().max(0)), i128::from(baseline.credits()));
    (balance * 100).checked_div(baseline).unwrap_or(0)
}

fn check_pattern(pattern: &str) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::TopUpUrl(format!("\"{pattern}\" {reason}")));
    if !["http://", "https://"].iter().any(|scheme| pattern.starts_with(scheme)) {
        return wrong("does not begin with http:// or https://".to_owned());
    }
    let rest = pattern.replace("{app}", "").replace("{user_id}", "");
    match rest.find(['{', '}']) {
        Some(_) => wrong("has braces around something else than {app} and {user_id}".to_owned()),
        None => Ok(()),
    }
}

/// In one pass, so that a user who is called "{app}" stays that.
fn fill(pattern: &str, account: &AccountId) -> String {
    let parts: Vec<String> = pattern
        .split("{user_id}")
        .map(|part| part.replace("{app}", &encoded(&account.app.to_string())))
        .collect();
    parts.join(&encoded(&account.user.to_string()))
}

/// Percent-encoded but for what never needs it.
fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use ledger_core::{AppId, UserId};

    use super::*;

    fn account(user: &str) -> AccountId {
        AccountId { app: AppId::new("demo").unwrap(), user: UserId::new(user).unwrap() }
    }

    #[test]
    fn a_key_is_the_mails_own_and_one_the_provider_takes() {
        let log = LogId([1; 16]);
        let one = key(log, &account("anna"), NoticeKind::Paused, 1);
        assert!(locus::mail::IdempotencyKey::parse(&one).is_ok());
        assert_eq!(one, key(log, &account("anna"), NoticeKind::Paused, 1));
        for other in [
            key(LogId([2; 16]), &account("anna"), NoticeKind::Paused, 1),
            key(log, &account("bert"), NoticeKind::Paused, 1),
            key(log, &account("anna"), NoticeKind::Restored, 1),
            key(log, &account("anna"), NoticeKind::Paused, 2),
        ] {
            assert_ne!(one, other);
        }
        assert_eq!(reference(&one).len(), REFERENCE_LEN);
    }

    #[test]
    fn the_address_for_topping_up_names_the_user() {
        let pattern = "https://x.org/{app}/top-up?user={user_id}";
        for (user, address) in [
            ("anna", "https://x.org/demo/top-up?user=anna"),
            ("ä &/\"", "https://x.org/demo/top-up?user=%C3%A4%20%26%2F%22"),
            ("{app}", "https://x.org/demo/top-up?user=%7Bapp%7D"),
        ] {
            assert_eq!(fill(pattern, &account(user)), address);
        }
    }

    #[test]
    fn a_pattern_is_an_http_address_with_known_names() {
        for good in ["https://x.org", "http://x/{app}{user_id}"] {
            assert!(check_pattern(good).is_ok(), "{good}");
        }
        for bad in ["javascript:alert(1)", "x.org", "https://x.org/{user}", "https://x.org/{app"] {
            assert!(check_pattern(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn percent_are_rounded_down() {
        for (balance, baseline, left) in
            [("1.999999", "10", 19), ("0", "10", 0), ("10", "10", 100), ("0", "0", 0), ("-1", "10", 0)]
        {
            let usdc = |text: &str| Usdc::parse(text).unwrap();
            assert_eq!(percent(usdc(balance), usdc(baseline)), left, "{balance}");
        }
    }
}
