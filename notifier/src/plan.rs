//! What is to be done with an open mail now. Pure.

use ledger_core::upkeep::NoticeState;
use ledger_core::{Label, Timestamp};

use crate::config::{Timing, micros};
use crate::letter::Letter;
use crate::work::OpenMail;

/// Why a mail is not sent: it lay too long before anybody began.
pub(crate) const TOO_OLD: &str = "too old";
/// Why a mail is not sent: the account has no address.
pub(crate) const NO_ADDRESS: &str = "no address";
/// Why a mail is not sent again: nobody can tell whether it was sent.
pub(crate) const UNKNOWN: &str = "outcome unknown: look at the provider";

/// What is to be done with an open mail now.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Plan {
    /// Nothing, ever.
    Nothing,
    /// Nothing until then.
    Later(Timestamp),
    /// It will not be sent.
    Abandon(&'static str),
    /// It is written and sent to this address.
    Write(String),
    /// It is sent as it was written.
    Attempt(Letter, Again),
}

/// How a mail that was begun before is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// Under its key, which makes it safe whatever became of the attempts before.
    Send,
    /// Only when it is not found at the provider.
    LookThenSend,
    /// Not any more; but if it was sent, that is to be known.
    Look,
}

/// What a plan depends on besides the mail and the time.
pub(crate) struct Rules<'a> {
    pub(crate) worker: &'a Label,
    pub(crate) has_keys: bool,
    pub(crate) timing: &'a Timing,
}

/// What is to be done with an open mail at this time.
pub(crate) fn plan(mail: &OpenMail, now: Timestamp, rules: &Rules<'_>) -> Plan {
    let notice = &mail.notice;
    if notice.state.is_final() {
        return Plan::Nothing;
    }
    if notice.not_before > now && !may_take_over(mail, rules) {
        return Plan::Later(notice.not_before);
    }
    match notice.attempts {
        0 => begin(mail, now, rules),
        _ => go_on(mail, now, rules),
    }
}

/// A claim of our own is one that we left behind. Where nothing but the claim's end says that its mail is not under way
/// any more, that is waited for.
fn may_take_over(mail: &OpenMail, rules: &Rules<'_>) -> bool {
    let ours = mail.notice.worker.as_ref() == Some(rules.worker);
    mail.notice.state == NoticeState::Sending && ours && rules.has_keys
}

fn begin(mail: &OpenMail, now: Timestamp, rules: &Rules<'_>) -> Plan {
    if now.since(mail.due_at) > micros(rules.timing.max_age) {
        return Plan::Abandon(TOO_OLD);
    }
    let email = mail.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
    let Some(email) = email else { return Plan::Abandon(NO_ADDRESS) };
    cooling(mail, now, rules).unwrap_or_else(|| Plan::Write(email.to_owned()))
}

fn go_on(mail: &OpenMail, now: Timestamp, rules: &Rules<'_>) -> Plan {
    // What was written can not be read, so the same bytes can not be sent again.
    let Some(letter) = mail.letter() else { return Plan::Abandon(UNKNOWN) };
    let given_up = now.since(letter.written_at) > micros(rules.timing.give_up);
    let again = match (rules.has_keys, given_up) {
        (true, true) => return Plan::Abandon(UNKNOWN),
        (true, false) => Again::Send,
        (false, true) => Again::Look,
        (false, false) => Again::LookThenSend,
    };
    cooling(mail, now, rules).unwrap_or(Plan::Attempt(letter, again))
}

/// The last mail of the kind is too fresh.
fn cooling(mail: &OpenMail, now: Timestamp, rules: &Rules<'_>) -> Option<Plan> {
    let cool = mail.notice.last_sent?.plus(micros(rules.timing.cooldown));
    (cool > now).then_some(Plan::Later(cool))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
