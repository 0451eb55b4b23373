//! Bugs on purpose, none of which is in what is shipped.

use std::sync::Arc;

use ledger_core::Event;
use ledger_core::commit::Commit;
use ledger_core::sealed::Sealed;
use ledger_core::upkeep::NoticeStep;
use planted::{Bug, on};

use crate::letter::Letter;
use crate::transport::Transport;

/// Whether a look for what may have been sent is left out.
pub(crate) fn looks_not() -> bool {
    on(Bug::MailBlindly)
}

/// Does once more what a commit says was done.
pub(crate) fn act_on(commit: &Commit, transport: &Arc<dyn Transport>) {
    if !on(Bug::ActOnReplay) {
        return;
    }
    for letter in written(commit) {
        let transport = Arc::clone(transport);
        #[expect(clippy::disallowed_methods, reason = "a bug on purpose may as well die in silence")]
        tokio::spawn(async move { transport.send(&letter, "").await });
    }
}

fn written(commit: &Commit) -> Vec<Letter> {
    let of = |event: &Event| match event {
        Event::NoticeStepped(event) => match &event.step {
            NoticeStep::Claimed { mail, .. } => mail.as_ref().and_then(letter),
            _ => None,
        },
        _ => None,
    };
    commit.events.iter().filter_map(of).collect()
}

fn letter(mail: &Sealed) -> Option<Letter> {
    serde_json::from_str(mail.plain_text()?).ok()
}
