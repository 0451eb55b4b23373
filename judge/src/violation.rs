//! What the judge says when a rule is broken.

use std::fmt;

use crate::position::Position;

/// The rules, with what each demands in a sentence.
macro_rules! rules {
    ($($rule:ident = $name:literal, $sentence:literal;)*) => {
        /// A rule of the ledger.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule { $(#[doc = $sentence] $rule,)* }

        impl Rule {
            /// All of them, in the order in which people should read them.
            pub const ALL: &[Self] = &[$(Self::$rule,)*];

            /// Its short name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$rule => $name,)* }
            }

            /// What it demands.
            pub fn sentence(self) -> &'static str {
                match self { $(Self::$rule => $sentence,)* }
            }
        }
    };
}

rules! {
    Version = "version", "Every commit is of a version that this program knows.";
    Form = "form", "Every commit can be decoded, and means what the format says.";
    Chain = "chain", "Every commit has its own number, and names the number and the SHA-256 of the one before it; nothing is missing.";
    Time = "time", "Time never goes back.";
    Terms = "terms", "One writer at a time: once a new term was opened, no commit of an older one appears.";
    Slots = "slots", "Every account is in the partition that its name belongs to.";
    Policies = "policies", "Every app has rules before it has money, numbered without a gap.";
    Accounts = "accounts", "An account is opened once, before anything happens to it, and closed once; a closed one pays for nothing, is given nothing and asks for nothing.";
    Credit = "credit", "Nothing is ever spent that was not there.";
    Postings = "postings", "What leaves one side arrives at another: the postings of every event, and of all together, sum to zero.";
    Charges = "charges", "What is charged is what was asked: of items the exact sum, rounded down once over the account's whole life.";
    Fees = "fees", "The fee is the policy's share of every debit, rounded down once over the account's whole life.";
    Lots = "lots", "Money is spent in the order of priority and age, and no lot gives more than it has.";
    Levels = "levels", "Baseline, level and epoch follow from the balance and the policy.";
    Crossings = "crossings", "Each line that a level falls past is recorded once an epoch, right behind its cause.";
    Keys = "keys", "A key has one effect: of usage in the window in force, UUIDv7 keys and those of all else for ever; those that begin with $ are the ledger's own.";
    Sources = "sources", "Each item of a source is done with once, and its mark only rises.";
    Refusals = "refusals", "A refusal that was recorded is true.";
    Sleeps = "sleeps", "A person puts to sleep what is awake, and it pays for nothing until it is woken; without credit it wakes only by force.";
    Containers = "containers", "The steps of a container are counted without a gap, each follows from those before it, and one worker at a time does what is due and tells of it.";
    Mails = "mails", "A mail belongs to a line that was passed or to the end of a sleep that was told of; one worker at a time sends it, it is sent once, and it ends once.";
    Sessions = "sessions", "A checkout session is opened once and pays once, what it asked for unless a person saw to it; its deposit and its payment stand together, and money that came for it is not forgotten.";
    Solvency = "solvency", "A comparison of what users hold with what there is for them knows no more than was read.";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A rule that a log breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: the rule \"{rule}\" is broken{}: expected {expected}, found {found}", of(whose))]
pub struct Violation {
    /// The event; of a whole commit its first.
    pub position: Position,
    /// The rule.
    pub rule: Rule,
    /// Whose: `app/user`, or what else it is about.
    pub whose: Option<String>,
    /// What should stand there.
    pub expected: String,
    /// What stands there.
    pub found: String,
}

fn of(whose: &Option<String>) -> String {
    whose.as_ref().map(|whose| format!(" for {whose}")).unwrap_or_default()
}

/// A violation before it is known where it stands.
#[derive(Debug)]
pub(crate) struct Broken {
    rule: Rule,
    expected: String,
    found: String,
}

impl Broken {
    pub(crate) fn new(rule: Rule, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { rule, expected: expected.into(), found: found.into() }
    }

    pub(crate) fn at(self, position: Position, whose: Option<String>) -> Violation {
        Violation { position, rule: self.rule, whose, expected: self.expected, found: self.found }
    }
}

/// The outcome of a check.
pub(crate) type Check = Result<(), Broken>;

/// It holds; or what was found instead. Neither is put into words before that.
pub(crate) fn holds(
    rule: Rule,
    holds: bool,
    expected: impl fmt::Display,
    found: impl FnOnce() -> String,
) -> Check {
    if holds { Ok(()) } else { Err(Broken::new(rule, expected.to_string(), found())) }
}

/// What was found is what it should be.
pub(crate) fn equal<T: PartialEq + fmt::Debug>(rule: Rule, what: &str, expected: &T, found: &T) -> Check {
    if expected == found {
        return Ok(());
    }
    Err(Broken::new(rule, format!("{what} {expected:?}"), format!("{found:?}")))
}
