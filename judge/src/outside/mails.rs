//! I12, of mails: each is claimed, then sent once, and what the log calls sent is that.

use std::collections::BTreeMap;

use super::containers::name;
use super::told::{Account, Mailing};
use super::{Check, Effect, names};
use crate::wire::Mail;

/// What the log calls a mail whose provider gave it no id.
const NO_ID: &str = "unknown";

/// Whose mail something is: account, kind, epoch, and what is told of it.
type Letter<'a> = (&'a Account, Mail, u32, &'a Mailing);

/// A mail that was sent.
struct Sent<'a> {
    at: Option<i64>,
    message_id: &'a str,
    to: &'a [String],
    /// The key it was sent under, else the reference it shows.
    name: Option<&'a str>,
    /// The place of its mail in the log's.
    letter: Option<usize>,
}

impl<'a> Check<'a> {
    pub(super) fn mails(&mut self) {
        let letters = self.letters();
        let sent = self.sent(&letters);
        sent.iter().for_each(|sent| self.asked_for(&letters, sent));
        for (place, letter) in letters.iter().enumerate() {
            let ours: Vec<_> = sent.iter().filter(|sent| sent.letter == Some(place)).collect();
            if ours.len() > 1 {
                let ids: Vec<_> = ours.iter().map(|sent| sent.message_id).collect();
                self.complain(
                    "I12",
                    format!("{} was sent {} times: {}", described(letter), ids.len(), ids.join(", ")),
                );
            }
            self.told_as_sent(place, letter, &sent);
        }
    }

    fn letters(&self) -> Vec<Letter<'a>> {
        let of = |(account, standing): (&'a Account, &'a super::told::Standing)| {
            standing.mails.iter().map(move |((kind, epoch), mail)| (account, *kind, *epoch, mail))
        };
        self.told.accounts.iter().flat_map(of).collect()
    }

    fn sent(&self, letters: &[Letter<'a>]) -> Vec<Sent<'a>> {
        let keys = || letters.iter().enumerate().map(|(place, (.., mail))| (&*mail.key, place));
        let by_key: BTreeMap<&str, usize> = keys().collect();
        let by_reference: BTreeMap<&str, usize> =
            keys().map(|(key, place)| (names::reference(key), place)).collect();
        let sent = |deed: &'a super::Deed| {
            let Effect::MailSent { idempotency_key, reference, message_id, to } = &deed.effect else {
                return None;
            };
            let (key, reference) = (idempotency_key.as_deref(), reference.as_deref());
            let letter = match key {
                Some(key) => by_key.get(key),
                None => reference.and_then(|reference| by_reference.get(reference)),
            };
            Some(Sent { at: deed.at, message_id, to, name: key.or(reference), letter: letter.copied() })
        };
        self.deeds.iter().filter_map(sent).collect()
    }

    /// It is a mail of the log, and it was claimed before it was sent.
    fn asked_for(&mut self, letters: &[Letter<'a>], sent: &Sent<'_>) {
        let Sent { at, message_id, .. } = sent;
        let Some(letter) = sent.letter.map(|place| &letters[place]) else {
            if let Some(name) = sent.name {
                let to = sent.to.join(", ");
                self.complain(
                    "I12",
                    format!("{message_id} was sent to {to} as {name}, which is no mail of the log"),
                );
            }
            return;
        };
        match (letter.3.claimed, at) {
            (None, _) => {
                self.complain("I12", format!("{} was sent, and nobody had claimed it", described(letter)))
            }
            (Some(claimed), Some(at)) if claimed > *at => {
                let what = format!("was sent at {at}, and first claimed at {claimed} (µs since 1970)");
                self.complain("I12", format!("{} {what}", described(letter)));
            }
            _ => {}
        }
    }

    /// What the log calls sent was sent, and is this mail. A mail that shows no name may be any.
    fn told_as_sent(&mut self, place: usize, letter: &Letter<'_>, sent: &[Sent<'_>]) {
        for (id, at) in &letter.3.sent {
            let named: Vec<_> = sent.iter().filter(|sent| sent.message_id == id).collect();
            let may_be = |sent: &&&Sent<'_>| sent.letter.map_or(sent.name.is_none(), |other| other == place);
            let found = match &named[..] {
                [] if id == NO_ID && sent.iter().any(|sent| may_be(&&sent)) => continue,
                [] => "no such was sent".to_owned(),
                [one] if may_be(&one) => continue,
                [_] => "that is another mail".to_owned(),
                several => format!("{} of that id were sent", several.len()),
            };
            self.complain(
                "I12",
                format!("{} is told at {at} to be sent as {id}, and {found}", described(letter)),
            );
        }
    }
}

fn described((account, kind, epoch, _): &Letter<'_>) -> String {
    format!("{}: the mail {} of epoch {epoch}", name(account), kind.word())
}
