//! What stands in `schemas/` is what this program does: the golden samples and routes for ever, the schemas as of
//! today. `DRIP_BLESS=1` writes the schemas anew; golden files only when they are missing.

#![expect(clippy::unwrap_used, reason = "a test that can not go on panics")]

#[path = "schemas/life.rs"]
mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use ledger_core::commit::{Commit, CommitBuilder, EncodedCommit, Head, PREFIX_LEN};
use ledger_core::slots::{SLOTS, SlotMap, routing_part, slot};
use ledger_core::{AccountId, AppId, Chain, Code, Event, Ledger, PartitionId, UserId};
use serde_json::{Value, json};

const WIRE: &str =
    concat!(include_str!("../src/commit/wire.rs"), include_str!("../src/commit/wire_upkeep.rs"));

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[expect(clippy::disallowed_methods, reason = "a test may be asked to write what it compares with")]
fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "a test may be asked to write what it compares with")]
fn blessing() -> bool {
    std::env::var("DRIP_BLESS").is_ok_and(|value| value == "1")
}

fn pretty(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// A file that follows the program.
#[track_caller]
fn follows(name: &str, text: &str) {
    let path = folder().join(name);
    let same = read(&path).is_some_and(|found| found == text);
    let help = "is not what the program says: look at the change, then run the tests with DRIP_BLESS=1";
    assert!(same || blessing(), "schemas/{name} {help}");
    if !same {
        write(&path, text);
    }
}

/// A file that the program follows, for ever: written once, when there is none.
#[track_caller]
fn golden(name: &str, text: impl FnOnce() -> String) -> String {
    let path = folder().join(name);
    read(&path).unwrap_or_else(|| {
        assert!(
            blessing(),
            "schemas/{name} is missing: bring it back, for what was written once stays as it is"
        );
        let text = text();
        write(&path, &text);
        text
    })
}

fn in_lines(bytes: &[u8]) -> String {
    let digits = hex::encode(bytes);
    let lines = digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    lines.fold(String::new(), |text, line| text + line + "\n")
}

fn from_lines(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn shown(commit: &Commit) -> Value {
    let prefix = &commit.prefix;
    json!({
        "log": prefix.log,
        "partition": prefix.partition,
        "sequence": prefix.sequence,
        "version": prefix.version,
        "hash": commit.hash,
        "previous": commit.previous,
        "previous_hash": commit.previous_hash,
        "term": commit.term,
        "time": commit.time,
        "events": &*commit.events,
    })
}

/// A golden commit: its name, its bytes, and what they mean.
struct Sample {
    name: String,
    bytes: Vec<u8>,
    meaning: String,
}

/// The golden log of format 1, commit by commit.
static GOLDEN: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    if blessing() {
        life::commits().iter().for_each(|(name, sealed)| write_sample(name, sealed));
    }
    let files = std::fs::read_dir(folder().join("golden/v1")).expect("schemas/golden/v1 holds the samples");
    let files = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: BTreeSet<_> = files.map(|file| file.split('.').next().unwrap().to_owned()).collect();
    names.into_iter().map(read_sample).collect()
});

fn write_sample(name: &str, sealed: &EncodedCommit) {
    let file = format!("golden/v1/{:02}-{name}", sealed.prefix.sequence);
    let bytes = from_lines(&golden(&format!("{file}.hex"), || in_lines(&sealed.bytes)));
    golden(&format!("{file}.json"), || pretty(&shown(&Commit::decode(&bytes).unwrap())));
}

fn read_sample(name: String) -> Sample {
    let file = |end| golden(&format!("golden/v1/{name}.{end}"), || unreachable!("it was just written"));
    let (bytes, meaning) = (from_lines(&file("hex")), file("json"));
    Sample { name, bytes, meaning }
}

#[test]
fn golden_samples_decode_for_ever() {
    for Sample { name, bytes, meaning } in &*GOLDEN {
        let commit = Commit::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(pretty(&shown(&commit)), *meaning, "{name}");
    }
}

#[test]
fn golden_samples_are_a_log_that_chains_and_replays_for_ever() {
    let (mut chain, mut ledger) = (Chain::start(PartitionId(0)), Ledger::new(PartitionId(0)));
    for Sample { name, bytes, .. } in &*GOLDEN {
        let commit = Commit::decode(bytes).unwrap();
        chain.accept(&commit).unwrap_or_else(|error| panic!("{name}: {error}"));
        ledger.apply(&commit).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let balances: BTreeMap<_, _> =
        ledger.accounts().map(|(id, account)| (id.user.to_string(), account.balance().to_string())).collect();
    let expected = [("anna", "0"), ("bob", "0.104"), ("cleo", "5"), ("dora", "0"), ("{acme}🦀", "1.5")];
    assert_eq!(balances, expected.map(|(user, balance)| (user.to_owned(), balance.to_owned())).into());
}

#[test]
fn what_a_golden_sample_means_is_still_written_as_the_same_bytes() {
    for Sample { name, bytes, .. } in &*GOLDEN {
        let commit = Commit::decode(bytes).unwrap();
        let mut builder = CommitBuilder::default();
        commit.events.iter().for_each(|event| builder.push(event));
        let (prefix, previous, previous_hash) = (&commit.prefix, commit.previous, commit.previous_hash);
        let head = Head {
            log: prefix.log,
            partition: prefix.partition,
            sequence: prefix.sequence,
            previous,
            previous_hash,
            term: commit.term,
            time: commit.time,
        };
        assert_eq!(in_lines(&builder.seal(&head).bytes), in_lines(bytes), "{name}");
    }
}

#[test]
fn there_is_a_golden_sample_of_every_kind_of_event_and_of_every_field() {
    let mut found = BTreeSet::new();
    for Sample { name, bytes, meaning } in &*GOLDEN {
        let meaning: Value = serde_json::from_str(meaning).unwrap();
        let mut kinds =
            meaning["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap());
        assert!(kinds.any(|kind| name.ends_with(kind)), "{name} holds what it is named after");
        let body: Letters = rmp_serde::from_slice(&bytes[PREFIX_LEN..]).unwrap();
        let events = body.e.into_iter().flatten();
        found.extend(
            events.flat_map(|(kind, fields)| fields.into_keys().map(move |field| (structure(&kind), field))),
        );
    }
    let expected =
        sections().into_iter().filter(|(name, _)| !["Body", "Event", "OldestReader"].contains(name));
    let expected =
        expected.flat_map(|(name, letters)| letters.into_iter().map(move |letter| (name, letter.to_owned())));
    assert_eq!(found, expected.collect());
}

/// The names in a body, without their values.
#[derive(serde::Deserialize)]
struct Letters {
    e: Vec<BTreeMap<String, BTreeMap<String, serde::de::IgnoredAny>>>,
}

/// The struct that stands under a kind of event: `Genesis(Genesis)` under its letter.
fn structure(kind: &str) -> &'static str {
    let (_, after) = WIRE.split_once(&format!("rename = \"{kind}\")]\n")).unwrap();
    after.split(['(', ')']).nth(1).unwrap()
}

/// The letters of each struct and enum of the wire, in order.
fn sections() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut sections = BTreeMap::new();
    let mut current = "";
    for line in WIRE.lines() {
        if let Some(rest) = line.split_once(" struct ").or_else(|| line.split_once(" enum ")) {
            current = rest.1.split([' ', '(', '{']).next().unwrap();
        }
        if let Some((_, rest)) = line.split_once("rename = \"") {
            sections.entry(current).or_insert_with(Vec::new).push(rest.split('"').next().unwrap());
        }
    }
    sections
}

#[test]
fn every_letter_of_the_wire_is_explained() {
    let page = read(&folder().join("wire.md")).unwrap();
    assert!(sections().len() > 10, "the letters were found");
    for (name, letters) in sections().into_iter().filter(|(name, _)| *name != "OldestReader") {
        let heading = format!("### {name}\n");
        let (_, section) =
            page.split_once(&heading).unwrap_or_else(|| panic!("wire.md has no section {name}"));
        let section = section.split("\n#").next().unwrap();
        for letter in letters {
            assert!(
                section.contains(&format!("| `{letter}` |")),
                "wire.md, {name}: {letter} is not explained"
            );
        }
        let rows = section.lines().filter(|line| line.starts_with("| `")).count();
        assert_eq!(rows, sections()[name].len(), "wire.md, {name}: explains letters that are not written");
    }
}

#[test]
fn the_worked_example_is_a_golden_sample() {
    let page = read(&folder().join("wire.md")).unwrap();
    let Sample { name, bytes, .. } = GOLDEN.iter().find(|sample| sample.name == "08-crossed").unwrap();
    assert!(page.contains(&format!("golden/v1/{name}.hex")), "wire.md works through {name}");
    assert!(page.contains(&in_lines(bytes)), "wire.md shows the bytes of {name}");
    let (_, example) = page.split_once("## A commit read by hand").unwrap();
    let cells =
        example.lines().filter(|line| line.starts_with("| `")).map(|line| line.split('`').nth(1).unwrap());
    assert_eq!(in_lines(&from_lines(&cells.collect::<Vec<_>>().join(" "))), in_lines(bytes));
}

fn accounts() -> Vec<AccountId> {
    let long = ["x".repeat(200), "ж".repeat(100), "🦀".repeat(50), format!("{{{}}}", "y".repeat(198))];
    let users = [
        "anna",
        "bob",
        "Anna",
        "user-0",
        "user-1",
        "user-199",
        "0",
        "a",
        "{acme}anna",
        "{acme}bob",
        "acme",
        "x{acme}y{z}",
        "{}anna",
        "{anna",
        "anna}",
        "}{a}",
        "{{a}}",
        "{a}{b}",
        "{ }x",
        "{🦀}x",
        "🦀",
        "анна",
        "é",
        "e\u{301}",
        "two words",
        " leading",
        "trailing ",
        "a/b/c",
        "a.b*>",
        "100%",
        "anna@example.org",
        "\"quoted\"",
        "back\\slash",
        "00000000-0000-0000-0000-000000000000",
        "a$",
        "-",
    ];
    let users = users.iter().map(|user| (*user).to_owned()).chain(long);
    let mut accounts: Vec<_> = users.map(|user| account("demo", &user)).collect();
    accounts.extend([
        account("other", "anna"),
        account("a", "nna"),
        account("an", "na"),
        account(&"a".repeat(40), "anna"),
    ]);
    accounts
}

fn account(app: &str, user: &str) -> AccountId {
    AccountId { app: AppId::new(app).unwrap(), user: UserId::new(user).unwrap() }
}

fn routes() -> Value {
    let (one, four) = (SlotMap::even(1), SlotMap::even(4));
    let route = |account: &AccountId| {
        json!({
            "app": account.app,
            "user_id": account.user,
            "routing_part": routing_part(&account.user),
            "slot": slot(account),
            "partition_of_1": one.route(account),
            "partition_of_4": four.route(account),
        })
    };
    json!({ "slots": SLOTS, "accounts": accounts().iter().map(route).collect::<Vec<_>>() })
}

/// The vectors were computed a second time outside of this program, with nothing but Python's hashlib:
///
/// ```python
/// import hashlib, json
/// for v in json.load(open("schemas/routing.json"))["accounts"]:
///     parts = [p.encode() for p in (v["app"], v["routing_part"])]
///     digest = hashlib.sha256(b"".join(len(p).to_bytes(4, "big") + p for p in parts)).digest()
///     slot = int.from_bytes(digest[:8], "big") % 4096
///     assert (slot, 0, slot // 1024) == (v["slot"], v["partition_of_1"], v["partition_of_4"])
/// ```
#[test]
fn accounts_are_routed_as_they_always_were() {
    let found: Value = serde_json::from_str(&golden("routing.json", || pretty(&routes()))).unwrap();
    assert_eq!(found, routes());
    assert!(found["accounts"].as_array().unwrap().len() >= 40);
}

#[test]
fn the_schema_of_events_follows_the_types() {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Event>();
    follows("event.json", &pretty(&schema));
}

#[test]
fn the_list_of_rejections_follows_the_codes() {
    let row = |code: &Code| {
        json!({
            "code": code.as_str(),
            "http_status": code.http_status(),
            "transient": code.is_transient(),
            "title": code.title(),
        })
    };
    follows("rejections.json", &pretty(&Code::ALL.iter().map(row).collect::<Vec<_>>()));
}

#[test]
fn bytes_as_text_read_back() {
    let bytes: Vec<u8> = (0..=255).collect();
    let mut text = in_lines(&bytes);
    assert_eq!(text.lines().map(str::len).max(), Some(64));
    writeln!(text).unwrap();
    assert_eq!(from_lines(&text), bytes);
}
