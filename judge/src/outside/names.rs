//! The names by which providers know what is done for an account. Only whoever knows the log's id can make them, so they
//! tie a record to a log. `docs/auditing.md` has both formulas.

use sha2::{Digest as _, Sha256};

use super::told::Account;
use crate::wire::Mail;

/// How many characters of a mail's name a person is shown.
const REFERENCE: usize = 12;

/// What the project of an account is called.
pub(super) fn project(log: [u8; 16], (app, user): &Account) -> String {
    let digest = hex::encode(Sha256::digest(format!("{}/{app}/{user}", hex::encode(log))));
    format!("drip-{}", &digest[..40])
}

/// The name under which a mail is sent.
pub(super) fn mail(log: [u8; 16], (app, user): &Account, kind: Mail, epoch: u32) -> String {
    let text = format!("drip mail\n{}\n{app}\n{user}\n{}\n{epoch}", hex::encode(log), kind.word());
    hex::encode(Sha256::digest(text))
}

/// Its short form.
pub(super) fn reference(mail: &str) -> &str {
    mail.get(..REFERENCE).unwrap_or(mail)
}
