//! The house rules that no compiler checks. Each rule is a function from text to complaints, tried here on a text that
//! breaks it, then held against the whole repository.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

/// Which of our crates each of our crates may depend on, apart from its tests (design: the layout, no circles).
const ARROWS: &[(&str, &[&str])] = &[
    (
        "bench",
        &["command-api", "event-log", "judge", "ledger-core", "projector", "service-kit", "test-servers"],
    ),
    ("caught", &["planted", "simulation", "torture"]),
    ("command-api", &["event-log", "ledger-core", "locus", "planted", "projector", "service-kit"]),
    ("counting", &["ledger-core"]),
    (
        "drip",
        &[
            "bench",
            "command-api",
            "drip-client",
            "event-log",
            "judge",
            "ledger-core",
            "projector",
            "service-kit",
            "lifecycle-worker",
            "locus",
            "locus-sandbox",
            "notifier",
        ],
    ),
    ("drip-client", &[]),
    ("event-log", &["ledger-core", "planted"]),
    ("fuzzing", &["command-api", "ledger-core"]),
    ("judge", &[]),
    ("ledger-core", &[]),
    ("lifecycle-worker", &["drip-client", "event-log", "ledger-core", "locus", "planted", "service-kit"]),
    ("locus", &["ledger-core"]),
    ("locus-sandbox", &["ledger-core", "service-kit"]),
    ("notifier", &["drip-client", "event-log", "ledger-core", "locus", "planted", "service-kit"]),
    ("planted", &[]),
    ("projector", &["event-log", "ledger-core", "planted", "service-kit"]),
    ("service-kit", &[]),
    (
        "simulation",
        &[
            "command-api",
            "event-log",
            "judge",
            "ledger-core",
            "lifecycle-worker",
            "locus",
            "notifier",
            "projector",
            "service-kit",
        ],
    ),
    ("test-servers", &[]),
    ("tests", &[]),
    ("torture", &["drip-client", "event-log", "judge", "planted", "service-kit", "test-servers"]),
];

/// Where wall time may be read: services ask service-kit, and the client stands alone.
const CLOCKS: &[&str] = &["service-kit/src/clock.rs", "sdk/"];

/// A file should have fewer lines than this; those that do not are printed.
const LONG_FILE: usize = 400;
/// A file must not have more lines than this.
const TOO_LONG_FILE: usize = 600;

#[test]
fn our_crates_depend_on_each_other_only_along_the_arrows() {
    none(manifests().values().flat_map(arrows));
}

#[test]
fn every_crate_takes_its_lints_and_dependencies_from_the_workspace() {
    none(manifests().iter().flat_map(|(path, manifest)| workspace(path, manifest)));
}

#[test]
fn no_file_names_a_folder_of_one_persons_machine() {
    none(texts().iter().flat_map(|(path, text)| machine_folders(path, text)));
}

#[test]
fn rust_files_are_short() {
    let texts = texts();
    let sizes = texts
        .iter()
        .filter(|(path, _)| path.ends_with(".rs"))
        .map(|(path, text)| (path, text.lines().count()));
    let (too_long, long): (Vec<_>, Vec<_>) =
        sizes.filter(|(_, lines)| *lines > LONG_FILE).partition(|(_, lines)| *lines > TOO_LONG_FILE);
    // Straight to stderr: what a passing test prints is not shown.
    let mut out = std::io::stderr();
    long.iter().for_each(|(path, lines)| {
        writeln!(out, "{path} has {lines} lines: aim at {LONG_FILE}").expect("stderr is open");
    });
    none(too_long.iter().map(|(path, lines)| format!("{path} has {lines} lines, more than {TOO_LONG_FILE}")));
}

#[test]
fn services_read_wall_time_in_one_place() {
    let texts = texts();
    let sources = texts.iter().filter(|(path, _)| path.ends_with(".rs") && path.contains("src/"));
    let sources = sources.filter(|(path, _)| !CLOCKS.iter().any(|clock| path.starts_with(clock)));
    none(sources.flat_map(|(path, text)| wall_time(path, text)));
}

#[test]
fn each_rule_complains_of_what_breaks_it() {
    let manifest = |text: &str| text.parse::<Table>().unwrap();
    let package = "[package]\nname = \"event-log\"\n";
    let wrong = manifest(&format!("{package}[dependencies]\nprojector.workspace = true\nserde = \"1\""));
    let right = manifest(&format!(
        "{package}[lints]\nworkspace = true\n[dependencies]\nledger-core.workspace = true\n[dev-dependencies]\nprojector.workspace = true"
    ));
    assert_eq!(arrows(&wrong), ["event-log may not depend on projector"]);
    let build =
        manifest(&format!("{package}[target.'cfg(unix)'.build-dependencies]\nprojector.workspace = true"));
    assert_eq!(arrows(&build), ["event-log may not depend on projector"]);
    assert_eq!(arrows(&manifest("[package]\nname = \"newcomer\"")), ["newcomer has no line in ARROWS"]);
    assert_eq!(arrows(&right), [""; 0]);
    let complaints = ["x: lints are not the workspace's", "x: serde has a version of its own"];
    assert_eq!(workspace("x", &wrong), complaints);
    assert_eq!(workspace("x", &right), [""; 0]);
    assert_eq!(machine_folders("x", &format!("a\nsee {}main", ["/wo", "rk/"].concat())).len(), 1);
    assert_eq!(machine_folders("x", "network/work, homework/workshop"), [""; 0]);
    let doors =
        ["`POST /wo", "rk/claims`, http://drip/v1/wo", "rk/due, \"POST\", \"/wo", "rk/solvency\""].concat();
    assert_eq!(machine_folders("x", &doors), [""; 0]);
    assert_eq!(
        wall_time("x", "let t =\n    SystemTime::now();"),
        ["x:2 reads wall time: use service_kit::clock"]
    );
    assert_eq!(wall_time("x", "let t = Instant::now();"), [""; 0]);
}

fn arrows(manifest: &Table) -> Vec<String> {
    let name = manifest["package"]["name"].as_str().expect("cargo has read this manifest");
    let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
        return vec![format!("{name} has no line in ARROWS")];
    };
    let ours = |dependency: &&String| ARROWS.iter().any(|(name, _)| name == dependency);
    let dependencies = dependencies(manifest, &["dependencies", "build-dependencies"]);
    let wrong = dependencies.map(|(name, _)| name).filter(ours).filter(|to| !allowed.contains(&to.as_str()));
    wrong.map(|to| format!("{name} may not depend on {to}")).collect()
}

fn workspace(path: &str, manifest: &Table) -> Vec<String> {
    let inherits =
        |value: Option<&Value>| value.and_then(|value| value.get("workspace")) == Some(&Value::Boolean(true));
    let lints = (!inherits(manifest.get("lints"))).then(|| format!("{path}: lints are not the workspace's"));
    let all = dependencies(manifest, &["dependencies", "build-dependencies", "dev-dependencies"]);
    let own = all
        .filter(|(_, value)| value.is_str() || ["version", "git"].iter().any(|key| value.get(key).is_some()));
    let own = own.map(|(name, _)| format!("{path}: {name} has a version of its own"));
    lints.into_iter().chain(own).collect()
}

fn machine_folders(path: &str, text: &str) -> Vec<String> {
    // In pieces, because this file is held to the rule too.
    let words = [["/ho", "me/"], ["/ro", "ot/"], ["/Us", "ers/"], ["/wo", "rk/"]];
    let words = words.map(|pieces| pieces.concat());
    // What workers ask Drip for is an address, no folder.
    let doors =
        ["/v1", "POST ", "GET ", "\"POST\", \"", "\"GET\", \""].map(|before| format!("{before}{}", words[3]));
    let bare = |line: &str| doors.iter().fold(line.to_owned(), |line, door| line.replace(door, ""));
    let found = |line: &str| words.iter().find(|word| bare(line).contains(word.as_str())).cloned();
    let lines = text.lines().enumerate().filter_map(|(index, line)| Some((index + 1, found(line)?)));
    lines.map(|(line, word)| format!("{path}:{line} says \"{word}\"")).collect()
}

fn wall_time(path: &str, text: &str) -> Vec<String> {
    let reads =
        |line: &&str| ["SystemTime::now", "Utc::now", "Local::now"].iter().any(|read| line.contains(read));
    let lines = text.lines().enumerate().filter(|(_, line)| reads(line));
    lines.map(|(index, _)| format!("{path}:{} reads wall time: use service_kit::clock", index + 1)).collect()
}

/// The entries of these tables of a manifest, also where they stand under a target.
fn dependencies<'a>(manifest: &'a Table, kinds: &'a [&str]) -> impl Iterator<Item = (&'a String, &'a Value)> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let places = targets.filter_map(Value::as_table).chain([manifest]);
    let tables = places.flat_map(|place| kinds.iter().filter_map(|kind| place.get(*kind)?.as_table()));
    tables.flatten()
}

fn none(complaints: impl Iterator<Item = String>) {
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The workspace members' manifests by path.
fn manifests() -> BTreeMap<String, Table> {
    let read = |path: &str| {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        text.parse::<Table>().unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let workspace = read("Cargo.toml");
    let members = workspace["workspace"]["members"].as_array().expect("the workspace lists its members");
    let paths = members.iter().filter_map(Value::as_str).map(|member| format!("{member}/Cargo.toml"));
    paths.map(|path| (path.clone(), read(&path))).collect()
}

/// The text files git knows or would add, by path. Those just deleted and those that are no text are left out.
fn texts() -> Vec<(String, String)> {
    // The checkout may belong to another user, which git refuses unless told that it is fine.
    let arguments =
        ["-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(root()).output().expect("git is installed");
    assert!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).expect("our paths are UTF-8");
    let paths = paths.split_terminator('\0').map(str::to_owned);
    let texts: Vec<_> =
        paths.filter_map(|path| Some((path.clone(), fs::read_to_string(root().join(path)).ok()?))).collect();
    assert!(texts.len() > ARROWS.len(), "git ls-files found hardly anything: {texts:?}");
    texts
}
