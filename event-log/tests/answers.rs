//! The simulated log is pinned to the real server: one table of what is asked and what may be answered, held against
//! the simulation and real nats-servers, one alone and a cluster of three.
//!
//! Where the table allows one answer, simulation and server give that one. Where it allows several, as while nobody
//! leads, it depends on the moment which of them is heard, and only what becomes of the commit is pinned.

mod line;
mod world;

use std::io::Write as _;
use std::time::Duration;

use event_log::sim::Replicas;
use event_log::{AppendOutcome, Entry, EventLog, ReadError, Refusal, contract};
use futures::join;
use ledger_core::Sequence;
use ledger_core::commit::EncodedCommit;

use crate::setup::ZERO;
use world::{Clients, Fault, LOG, Real, Simulated, World};

/// How long the servers may need until what was done to them is over.
const BOUND: Duration = Duration::from_secs(60);

/// An outcome without its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    Stored,
    Conflict,
    Unknown,
    Unavailable,
    Full,
    Fatal,
}
use Said::{Conflict, Full, Stored, Unavailable, Unknown};

impl From<AppendOutcome> for Said {
    fn from(outcome: AppendOutcome) -> Self {
        match outcome {
            AppendOutcome::Stored => Self::Stored,
            AppendOutcome::Conflict => Self::Conflict,
            AppendOutcome::Unknown(_) => Self::Unknown,
            AppendOutcome::Refused(Refusal::Unavailable, _) => Self::Unavailable,
            AppendOutcome::Refused(Refusal::Full, _) => Self::Full,
            AppendOutcome::Fatal(_) => Self::Fatal,
        }
    }
}

/// What may be said with one server, and with three.
type Allowed<T> = (&'static [T], &'static [T]);

const STORED: Allowed<Said> = (&[Stored], &[Stored]);
const CONFLICT: Allowed<Said> = (&[Conflict], &[Conflict]);
const FULL: Allowed<Said> = (&[Full], &[Full]);
/// One server looks at the sequence first, three at the id.
const RESENT: Allowed<Said> = (&[Conflict], &[Stored]);
const NOT_HEARD: Allowed<Said> = (&[Unknown], &[Unknown]);
const NOBODY: Allowed<Said> = (&[Unknown, Unavailable], &[Unknown, Unavailable]);

/// Payloads stand for commits: the sequence and the payload make the bytes.
enum Step {
    /// One client appends.
    Append(Sequence, &'static str, Allowed<Said>),
    /// The other client does.
    OtherAppends(Sequence, &'static str, Allowed<Said>),
    /// Both do, at the same moment; what they are told, in the order of [`Said`].
    Both(Sequence, [&'static str; 2], Allowed<[Said; 2]>),
    /// The same bytes again and again until they are stored, or conflict with themselves.
    Insist(Sequence, &'static str),
    /// Somebody else stores a message.
    Stranger,
    Inflict(Fault),
    Heal(Fault),
    /// The whole log is this.
    Holds(&'static [&'static str]),
}
use Step::{Append, Both, Heal, Holds, Inflict, Insist, OtherAppends, Stranger};

/// What is no commit of ours.
const FOREIGN: &str = "(foreign)";

struct Case {
    name: &'static str,
    steps: &'static [Step],
}

const CASES: &[Case] = &[
    Case {
        name: "what is stored is sent again, the newest and an older one",
        steps: &[
            Append(1, "a", STORED),
            Append(1, "a", RESENT),
            Append(2, "b", STORED),
            Append(3, "c", STORED),
            Append(3, "c", RESENT),
            Append(1, "a", RESENT),
            OtherAppends(2, "b", RESENT),
            Holds(&["a", "b", "c"]),
        ],
    },
    Case {
        name: "other bytes at a taken place",
        steps: &[
            Append(1, "a", STORED),
            Append(1, "x", CONFLICT),
            Append(2, "b", STORED),
            OtherAppends(2, "x", CONFLICT),
            OtherAppends(1, "x", CONFLICT),
            Append(3, "c", STORED),
            Holds(&["a", "b", "c"]),
        ],
    },
    Case {
        name: "a gap",
        steps: &[
            Append(2, "b", CONFLICT),
            Append(1, "a", STORED),
            Append(3, "c", CONFLICT),
            Append(1_000, "c", CONFLICT),
            Holds(&["a"]),
            // What was refused was not remembered by its id.
            Append(2, "b", STORED),
            Append(3, "c", STORED),
            Holds(&["a", "b", "c"]),
        ],
    },
    Case {
        name: "a foreign message at the old head",
        steps: &[
            Stranger,
            Append(1, "a", CONFLICT),
            Holds(&[FOREIGN]),
            Append(2, "a", STORED),
            Stranger,
            Append(3, "b", CONFLICT),
            Append(4, "b", STORED),
            Append(4, "b", RESENT),
            Append(3, "b", CONFLICT),
            Holds(&[FOREIGN, "a", FOREIGN, "b"]),
        ],
    },
    Case {
        name: "two appends race for one place",
        steps: &[Append(1, "a", STORED), Both(2, ["x", "y"], (&[[Stored, Conflict]], &[[Stored, Conflict]]))],
    },
    Case {
        name: "the same bytes race each other",
        steps: &[
            Both(1, ["a", "a"], (&[[Stored, Conflict]], &[[Stored, Stored], [Stored, Unknown]])),
            Append(1, "a", RESENT),
            Holds(&["a"]),
        ],
    },
    Case {
        name: "no server, or no leader",
        steps: &[
            Append(1, "a", STORED),
            Inflict(Fault::Servers),
            Append(2, "b", NOBODY),
            Append(2, "b", NOBODY),
            Heal(Fault::Servers),
            Insist(2, "b"),
            Append(2, "b", RESENT),
            Append(3, "c", STORED),
            Holds(&["a", "b", "c"]),
        ],
    },
    Case {
        name: "the leader has stepped down",
        steps: &[
            Append(1, "a", STORED),
            Inflict(Fault::Stepdown),
            Append(2, "b", (&[Stored, Unavailable, Unknown], &[Stored, Unavailable, Unknown])),
            Insist(2, "b"),
            Heal(Fault::Stepdown),
            Append(1, "a", RESENT),
            Append(2, "x", CONFLICT),
            Append(3, "c", STORED),
            Holds(&["a", "b", "c"]),
        ],
    },
    Case {
        name: "the store is full",
        steps: &[
            Append(1, "a", STORED),
            Inflict(Fault::Full),
            Append(2, "b", FULL),
            // What is wrong with its place is seen first.
            Append(1, "a", RESENT),
            Append(1, "x", CONFLICT),
            Append(3, "c", CONFLICT),
            Append(2, "b", FULL),
            Holds(&["a"]),
            Heal(Fault::Full),
            Append(2, "b", STORED),
            Holds(&["a", "b"]),
        ],
    },
    Case {
        name: "sent late, and its place is free",
        steps: &[
            Append(1, "a", STORED),
            Inflict(Fault::Line),
            Append(2, "b", NOT_HEARD),
            Holds(&["a"]),
            Heal(Fault::Line),
            // Behind the late one on the same line.
            Insist(3, "c"),
            Holds(&["a", "b", "c"]),
        ],
    },
    Case {
        name: "sent late, and its place is taken",
        steps: &[
            Append(1, "a", STORED),
            Inflict(Fault::Line),
            Append(2, "b", NOT_HEARD),
            OtherAppends(2, "x", STORED),
            Heal(Fault::Line),
            Insist(3, "c"),
            Holds(&["a", "x", "c"]),
            Append(2, "b", CONFLICT),
        ],
    },
];

fn commit(sequence: Sequence, payload: &str) -> EncodedCommit {
    contract::commit(LOG, ZERO, sequence, payload)
}

/// The payload of what stands there.
async fn payload(log: &dyn EventLog, sequence: Sequence) -> Result<Option<String>, ReadError> {
    Ok(log.read(ZERO, sequence).await?.map(|entry| match entry {
        Entry::Commit(found) => {
            let payload = &found.bytes[found.prefix.to_bytes().len()..];
            String::from_utf8_lossy(payload).into_owned()
        }
        Entry::Foreign { .. } => FOREIGN.to_owned(),
    }))
}

async fn row(log: &dyn EventLog) -> Result<Vec<String>, ReadError> {
    let mut row = Vec::new();
    while let Some(payload) = payload(log, row.len() as u64 + 1).await? {
        row.push(payload);
    }
    Ok(row)
}

/// The whole log; once it can be read, for a log that was away may not answer yet.
async fn holds(log: &dyn EventLog) -> Vec<String> {
    let look = async {
        loop {
            match row(log).await {
                Ok(row) => return row,
                Err(error) => assert!(matches!(error, ReadError::Unavailable { .. }), "{error}"),
            }
        }
    };
    tokio::time::timeout(BOUND, look).await.expect("it can be read in time")
}

/// Stored, or in conflict with itself.
async fn insist(log: &dyn EventLog, sequence: Sequence, sent: &str) {
    let again = async {
        loop {
            match log.append(&commit(sequence, sent)).await {
                AppendOutcome::Stored => return,
                // Where nothing can be read, late ones are still before it, or it is on its way.
                AppendOutcome::Conflict => {
                    if let Ok(Some(found)) = payload(log, sequence).await {
                        return assert_eq!(found, sent, "it conflicts with itself alone");
                    }
                }
                AppendOutcome::Unknown(_) | AppendOutcome::Refused(..) => {}
                AppendOutcome::Fatal(reason) => panic!("{reason}"),
            }
        }
    };
    tokio::time::timeout(BOUND, again).await.expect("it is resolved in time");
}

fn pick<T>(replicas: Replicas, (one, three): Allowed<T>) -> &'static [T] {
    match replicas {
        Replicas::One => one,
        Replicas::Three => three,
    }
}

async fn append(log: &dyn EventLog, sequence: Sequence, payload: &str, allowed: &[Said]) {
    let outcome = log.append(&commit(sequence, payload)).await;
    let said = Said::from(outcome.clone());
    assert!(allowed.contains(&said), "{payload} at {sequence}: {outcome:?}, and {allowed:?} is allowed");
}

async fn both(clients: &Clients, sequence: Sequence, payloads: [&str; 2], allowed: &[[Said; 2]]) {
    let (first, second) = payloads.map(|payload| commit(sequence, payload)).into();
    let outcomes = join!(clients.one.append(&first), clients.other.append(&second));
    let mut said = [outcomes.0.clone().into(), outcomes.1.clone().into()];
    said.sort_unstable();
    assert!(allowed.contains(&said), "{payloads:?} at {sequence}: {outcomes:?}, and {allowed:?} is allowed");
    // Of two different ones, what stands there is the one that was told so.
    if payloads[0] != payloads[1] {
        let winner = payloads[usize::from(outcomes.1 == AppendOutcome::Stored)];
        let row = holds(&*clients.other).await;
        assert_eq!((row.len() as u64, row.last().map(String::as_str)), (sequence, Some(winner)));
    }
}

async fn take(world: &mut impl World, clients: &Clients, step: &Step) {
    let (replicas, one) = (world.replicas(), &*clients.one);
    match *step {
        Append(sequence, payload, allowed) => append(one, sequence, payload, pick(replicas, allowed)).await,
        OtherAppends(sequence, payload, allowed) => {
            append(&*clients.other, sequence, payload, pick(replicas, allowed)).await;
        }
        Both(sequence, payloads, allowed) => {
            both(clients, sequence, payloads, pick(replicas, allowed)).await;
        }
        Insist(sequence, payload) => insist(one, sequence, payload).await,
        Stranger => world.stranger().await,
        Inflict(fault) => world.inflict(fault).await,
        Heal(fault) => world.heal(fault).await,
        Holds(expected) => assert_eq!(holds(&*clients.other).await, expected),
    }
}

/// Says where the table was broken, when a step has failed.
struct At(Replicas, &'static str, usize);

impl Drop for At {
    fn drop(&mut self) {
        let Self(replicas, case, step) = *self;
        if std::thread::panicking() {
            writeln!(std::io::stderr(), "{replicas:?}, {case:?}, step {step}").expect("stderr is open");
        }
    }
}

/// Every case, each on a fresh log.
async fn answers_as_the_table_says(world: &mut impl World) {
    for case in CASES {
        let clients = world.fresh().await;
        for (place, step) in case.steps.iter().enumerate() {
            let _at = At(world.replicas(), case.name, place + 1);
            take(world, &clients, step).await;
        }
    }
}

#[tokio::test]
async fn the_simulated_log_with_one_server_answers_as_the_table_says() {
    for seed in 0..50 {
        answers_as_the_table_says(&mut Simulated::new(Replicas::One, seed)).await;
    }
}

#[tokio::test]
async fn the_simulated_log_with_three_servers_answers_as_the_table_says() {
    for seed in 0..50 {
        answers_as_the_table_says(&mut Simulated::new(Replicas::Three, seed)).await;
    }
}

#[tokio::test]
async fn a_real_server_answers_as_the_table_says() {
    answers_as_the_table_says(&mut Real::start(1).await).await;
}

#[tokio::test]
async fn a_real_cluster_answers_as_the_table_says() {
    answers_as_the_table_says(&mut Real::start(3).await).await;
}
