//! A log that has lost or changed what was acknowledged, under a writer that is at work. While that is in doubt nothing
//! is appended, and nothing is answered from memory.

use event_log::anchors::{Difference, Verdict};
use event_log::{Alarm, Anchor, Keeper, ReadError};
use ledger_core::Timestamp;

use super::{Output, Phase, Stop, Writer};

impl Writer {
    /// The last commit that is known to be durable, which the log must hold for ever. `None` before the first.
    pub fn anchor(&self) -> Option<Anchor> {
        let chain = &self.chain;
        Some(Anchor {
            log: chain.log?,
            partition: chain.partition,
            sequence: chain.sequence,
            hash: chain.hash,
            kept_by: Keeper::Writer,
            kept_at: chain.time,
        })
    }

    /// It can not tell by its appends whether the log still holds its [anchor](Self::anchor): none is under way, or
    /// none gets through.
    pub fn wants_comparison(&self, now: Timestamp) -> bool {
        let overdue = self.flight.as_ref().is_none_or(|flight| flight.is_overdue(now));
        matches!(self.phase, Phase::Opening | Phase::Serving) && (overdue || self.doubt.found().is_some())
    }

    /// The log was compared with what was known to be durable when it was asked.
    pub(super) fn on_compared(
        &mut self,
        now: Timestamp,
        anchor: Anchor,
        answer: Result<Option<Difference>, ReadError>,
        out: &mut Vec<Output>,
    ) {
        if matches!(self.phase, Phase::Stopped(_)) {
            return;
        }
        let found = match answer {
            Ok(found) => found,
            Err(error @ ReadError::Damaged { .. }) => {
                return self.stop(Stop::Damaged(error.to_string()), out);
            }
            Err(_) => return self.doubt.unanswered(),
        };
        let is_news = found != self.doubt.found();
        let verdict = self.doubt.hear(now, found);
        let Some(found) = found else { return };
        let alarm = Alarm { anchor, found };
        if is_news {
            tracing::warn!("{}", alarm.in_doubt());
        }
        if verdict == Verdict::Believed {
            self.stop(Stop::Differs(alarm), out);
        }
    }

    /// Why nothing is appended or answered for now, if the log may not be what it was.
    pub(super) fn in_doubt(&self) -> Option<String> {
        let alarm = Alarm { anchor: self.anchor()?, found: self.doubt.found()? };
        Some(alarm.in_doubt())
    }
}
