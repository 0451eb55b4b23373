//! Mails: who may send one, and what became of it.

use super::{Accepted, account_of};
use crate::command::RecordNotice;
use crate::event::{Event, NoticeStepped};
use crate::ledger::Ledger;
use crate::rejection::{Code, Rejection};
use crate::time::{MINUTE, Timestamp};
use crate::upkeep::{Notice, NoticeState, NoticeStep};

/// The longest claim, in microseconds.
const HOLD_MAX: i64 = 10 * MINUTE;

pub(super) fn record(ledger: &Ledger, command: &RecordNotice) -> Result<Accepted, Rejection> {
    let (_, account) = account_of(ledger, &command.account)?;
    let notice = account.upkeep().and_then(|upkeep| upkeep.notice_of(command.kind, command.epoch));
    let notice = notice.ok_or(Code::NothingDue)?;
    if notice.state.is_final() {
        return Err(Code::NothingDue.into());
    }
    if command.after != notice.steps {
        return Err(Code::Moved.into());
    }
    let now = ledger.time();
    let step = match &command.step {
        // What was never begun may turn out to be true no more; what a provider may have taken is seen to its end.
        NoticeStep::Claimed { .. } if !account.holds(notice) && notice.attempts == 0 => {
            NoticeStep::Superseded
        }
        NoticeStep::Claimed { until, mail } => {
            check_claim(command, notice, now)?;
            // What was begun is seen to its end, whatever becomes of the account meanwhile.
            if notice.attempts == 0 && !account.is_time_for(notice) {
                return Err(Code::TooEarly.into());
            }
            let until = (*until).min(now.plus(HOLD_MAX));
            // The first text stands: later attempts send the same bytes.
            let mail = mail.clone().filter(|_| notice.mail.is_none());
            NoticeStep::Claimed { until, mail }
        }
        NoticeStep::Superseded if account.holds(notice) => return Err(Code::StepOutOfPlace.into()),
        other => {
            let sending = notice.state == NoticeState::Sending;
            let ends_attempt = matches!(other, NoticeStep::Sent { .. } | NoticeStep::Failed { .. });
            if ends_attempt && !sending {
                return Err(Code::StepOutOfPlace.into());
            }
            let held = sending && notice.not_before > now;
            if held && notice.worker.as_ref() != Some(&command.worker) {
                return Err(Code::Claimed.into());
            }
            other.clone()
        }
    };
    Ok(Accepted::Events(vec![Event::NoticeStepped(NoticeStepped {
        account: command.account.clone(),
        kind: command.kind,
        epoch: command.epoch,
        number: notice.steps + 1,
        step,
        worker: command.worker.clone(),
    })]))
}

fn check_claim(command: &RecordNotice, notice: &Notice, now: Timestamp) -> Result<(), Rejection> {
    let waits = notice.not_before > now;
    match notice.state {
        NoticeState::Sending if waits && notice.worker.as_ref() != Some(&command.worker) => {
            return Err(Code::Claimed.into());
        }
        NoticeState::Retrying if waits => return Err(Code::TooEarly.into()),
        _ => {}
    }
    let cooled = notice.last_sent.is_none_or(|sent| now >= sent.plus(command.cooldown.max(0)));
    if cooled || notice.attempts > 0 { Ok(()) } else { Err(Code::TooEarly.into()) }
}
