//! What the decoders must hold to, whatever the bytes. `fuzz/` hands the same functions to libFuzzer; the test here needs
//! no special toolchain.
//!
//! What it deliberately does not do: it judges no decision of the ledger, only that reading ends well.

use command_api::edge::auth::Principal;
use command_api::edge::dto::format::Format;
use command_api::edge::dto::requests::{
    AnyDebitsRequest, CloseRequest, DebitRequest, GetRequest, MoneyRequest, OpenRequest, RoutingRequest,
};
use command_api::edge::problem::Problem;
use ledger_core::commit::Commit;
use ledger_core::{AppId, Chain, Key, Label, Ledger, PartitionId};

/// A decoder.
#[derive(Debug)]
pub struct Target {
    /// What it is called, like its folder in `fuzz/corpus`.
    pub name: &'static str,
    /// Reads these bytes. Panics if the decoder breaks what it holds to.
    pub read: fn(&[u8]),
    /// How much it may hold besides a multiple of its input, in bytes.
    pub besides: usize,
}

/// All of them. Commits hold lists in lists, and serde reserves up to 1 MiB for one that claims to be long; requests, which
/// anybody may send, have lists of their own.
pub const TARGETS: &[Target] = &[
    Target { name: "commit", read: commit, besides: 4 << 20 },
    Target { name: "json", read: json, besides: 16 << 10 },
    Target { name: "msgpack", read: msgpack, besides: 16 << 10 },
];

/// How long a problem may be, in bytes: it never echoes what was sent.
const PROBLEM_MAX: usize = 2_000;

/// Reads a commit, and takes it in as far as it goes.
///
/// # Panics
///
/// If the decoder breaks what it holds to.
pub fn commit(bytes: &[u8]) {
    let Ok(commit) = Commit::decode(bytes) else { return };
    let again = Commit::decode(bytes).expect("what was read once can be read again");
    assert_eq!(commit.events, again.events);
    let partition = commit.prefix.partition;
    drop(Chain::start(partition).accept(&commit));
    drop(Ledger::new(PartitionId(0)).apply(&commit));
}

/// Reads a body of every verb as JSON.
///
/// # Panics
///
/// If a decoder breaks what it holds to.
pub fn json(bytes: &[u8]) {
    requests(Format::Json, bytes);
}

/// Reads a body of every verb as `MessagePack`.
///
/// # Panics
///
/// If a decoder breaks what it holds to.
pub fn msgpack(bytes: &[u8]) {
    requests(Format::MessagePack, bytes);
}

fn requests(format: Format, bytes: &[u8]) {
    let who = who();
    short(format.read(bytes).and_then(|body: OpenRequest| body.into_command(&who)));
    short(format.read(bytes).and_then(|body: GetRequest| body.into_account(&who)));
    short(format.read(bytes).and_then(|body: DebitRequest| body.into_command(&who, fresh)));
    short(format.read(bytes).and_then(|body: MoneyRequest| body.into_command(&who)));
    short(format.read(bytes).and_then(|body: CloseRequest| body.into_command(&who)));
    short(format.read::<RoutingRequest>(bytes));
    match AnyDebitsRequest::read(format, bytes) {
        Ok(AnyDebitsRequest::Batch(body)) => short(body.into_commands(&who, fresh)),
        Ok(AnyDebitsRequest::Source(body)) => short(body.into_batch(&who)),
        Err(problem) => short::<()>(Err(problem)),
    }
}

/// What was read is let go; a problem is one that can be sent.
fn short<T>(read: Result<T, Problem>) {
    let Err(problem) = read else { return };
    let written = Format::Json.write(&problem).expect("a problem can be written");
    assert!(written.len() < PROBLEM_MAX, "a problem has {} bytes", written.len());
    assert!((400..500).contains(&problem.body().status), "{problem:?}");
}

fn who() -> Principal {
    let named = "short fixed texts";
    Principal { app: AppId::new("demo").expect(named), actor: Label::new("fuzz").expect(named) }
}

fn fresh() -> Key {
    Key::new("made").expect("a short fixed text")
}
