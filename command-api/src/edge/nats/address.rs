//! Subjects: which verb is asked, by which app, and where.

use ledger_core::{AppId, Label};

use crate::edge::auth::Principal;
use crate::edge::problem::Problem;

/// The same verb, straight to the owner of a partition: `drip.cmd.*.get` becomes `drip.cmd.*.*.get`, where the second
/// `*` is the partition as `LEDGER-00` has it. One process owns all partitions; when several share them, each will
/// listen to its own only.
pub fn straight_subject(subject: &str) -> Option<String> {
    let (rest, verb) = subject.rsplit_once('.')?;
    (verb != "routing").then(|| format!("{rest}.*.{verb}"))
}

pub(super) fn verb_of(subject: &str) -> &str {
    subject.rsplit('.').next().unwrap_or_default()
}

/// What a subject says: `drip.cmd.<app>.<verb>`, or `drip.cmd.<app>.<partition>.<verb>`.
pub(super) struct Address<'a> {
    pub(super) app: &'a str,
    pub(super) partition: Option<&'a str>,
    pub(super) verb: &'a str,
}

impl<'a> Address<'a> {
    pub(super) fn of(subject: &'a str) -> Self {
        let mut tokens = subject.split('.').skip(2);
        let mut next = || tokens.next();
        let (app, second, third) = (next().unwrap_or_default(), next().unwrap_or_default(), next());
        match third {
            Some(verb) => Self { app, partition: Some(second), verb },
            None => Self { app, partition: None, verb: second },
        }
    }

    /// Whoever may publish on an app's subjects acts for the app.
    pub(super) fn principal(&self) -> Result<Principal, Problem> {
        let app = AppId::new(self.app).map_err(|error| Problem::invalid("app", error.rule))?;
        let actor = Label::new("nats").expect("a short fixed text");
        Ok(Principal { app, actor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::nats::SUBJECTS;

    #[test]
    fn the_app_and_the_verb_stand_in_the_subject() {
        for (subject, _) in SUBJECTS {
            let plain = subject.replacen('*', "demo", 1);
            let address = Address::of(&plain);
            assert_eq!(address.principal().unwrap().app.as_str(), "demo");
            assert_eq!((address.partition, address.verb), (None, verb_of(subject)));
            let Some(straight) = straight_subject(subject) else { continue };
            let straight = straight.replacen('*', "demo", 1).replacen('*', "03", 1);
            let address = Address::of(&straight);
            assert_eq!(
                (address.app, address.partition, address.verb),
                ("demo", Some("03"), verb_of(subject))
            );
        }
        let refused = Address::of("drip.cmd.Demo.get").principal().unwrap_err();
        assert_eq!(refused.body().code, "invalid_field");
    }
}
