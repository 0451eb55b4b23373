//! Where the servers' programs are: named by the environment, brought by `./test`, or installed on the machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The oldest nats-server that counts: before it, a proposal was not fenced by the leader's term.
const NATS_MIN: [u32; 3] = [2, 14, 4];
/// The oldest Postgres that counts.
const POSTGRES_MIN: [u32; 3] = [15, 0, 0];
const NO_NATS: &str =
    "no nats-server of 2.14.4 or later is on this machine: run ./test once, which brings it into .tools";
const NO_POSTGRES: &str =
    "no Postgres of 15 or later is on this machine: run ./test once, which brings it into .tools";

const NO_CHROMEDRIVER: &str = "no chromedriver is on this machine: install Debian's package chromium-driver, which ./test e2e does as root, \
     or name it in DRIP_CHROMEDRIVER";
const NO_CHROMIUM: &str = "no Chromium is on this machine: install Debian's package chromium, which ./test e2e does as root, \
     or name it in DRIP_CHROMIUM";
/// What a Chromium is called.
const CHROMIUMS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// What of the servers is needed and not there: a sentence that says how to get it.
#[must_use]
pub fn missing() -> Option<String> {
    let nats = match env::var_os("DRIP_NATS_SERVER").map(PathBuf::from) {
        Some(path) => (!fits(&path)).then(|| no_nats_at(&path)),
        None => find_nats_server().is_none().then(|| NO_NATS.to_owned()),
    };
    let postgres = || match env::var_os("DRIP_PG_BIN").map(PathBuf::from) {
        Some(path) => (!is_postgres(&path)).then(|| no_postgres_at(&path)),
        None => find_postgres_bin().is_none().then(|| NO_POSTGRES.to_owned()),
    };
    nats.or_else(postgres)
}

fn no_nats_at(path: &Path) -> String {
    format!("DRIP_NATS_SERVER={} is not a nats-server of 2.14.4 or later", path.display())
}

fn no_postgres_at(path: &Path) -> String {
    format!("DRIP_PG_BIN={} holds no Postgres of 15 or later", path.display())
}

/// What the servers are: `nats-server 2.15.1, Postgres 15.18`. Nothing of what is missing.
#[must_use]
pub fn versions() -> String {
    if missing().is_some() {
        return String::new();
    }
    let stated = |program: &Path| version(program).unwrap_or_default();
    let [a, b, c] = stated(nats_server());
    let [major, minor, _] = stated(&postgres_bin().join("postgres"));
    format!("nats-server {a}.{b}.{c}, Postgres {major}.{minor}")
}

/// The nats-server to run.
pub(crate) fn nats_server() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        if let Some(path) = env::var_os("DRIP_NATS_SERVER").map(PathBuf::from) {
            assert!(fits(&path), "{}", no_nats_at(&path));
            return path;
        }
        find_nats_server().expect(NO_NATS)
    })
}

fn find_nats_server() -> Option<PathBuf> {
    let brought = children(&tools()).into_iter().map(|folder| folder.join("nats-server"));
    let installed = search_path().into_iter().map(|folder| folder.join("nats-server"));
    brought.chain(installed).find(|path| fits(path))
}

fn fits(nats_server: &Path) -> bool {
    version(nats_server).is_some_and(|version| version >= NATS_MIN)
}

/// The folder with Postgres' programs `initdb`, `postgres` and `psql`.
pub(crate) fn postgres_bin() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| {
        if let Some(path) = env::var_os("DRIP_PG_BIN").map(PathBuf::from) {
            assert!(is_postgres(&path), "{}", no_postgres_at(&path));
            return path;
        }
        find_postgres_bin().expect(NO_POSTGRES)
    })
}

fn find_postgres_bin() -> Option<PathBuf> {
    let brought = children(&tools()).into_iter().map(|folder| folder.join("bin"));
    // A link in the search path leads to the real folder, where the other programs are.
    let searched = search_path()
        .into_iter()
        .filter_map(|folder| folder.join("initdb").canonicalize().ok()?.parent().map(Path::to_path_buf));
    let debian = children(Path::new("/usr/lib/postgresql")).into_iter().map(|folder| folder.join("bin"));
    brought.chain(searched).chain(debian).find(|folder| is_postgres(folder))
}

/// The program that starts browsers for tests.
pub(crate) fn chromedriver() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| named_or_installed("DRIP_CHROMEDRIVER", &["chromedriver"]).expect(NO_CHROMEDRIVER))
}

/// The browser.
pub(crate) fn chromium() -> &'static Path {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| named_or_installed("DRIP_CHROMIUM", &CHROMIUMS).expect(NO_CHROMIUM))
}

fn named_or_installed(variable: &str, names: &[&str]) -> Option<PathBuf> {
    let named = env::var_os(variable).map(PathBuf::from);
    let mut installed =
        names.iter().flat_map(|name| search_path().into_iter().map(move |folder| folder.join(name)));
    named.or_else(|| installed.find(|path| path.is_file()))
}

/// The git-ignored folder for what is brought or made once for all tests.
pub(crate) fn tools() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools")
}

/// The version a program states as `… 1.2.3 …` or `… v1.2`, if it runs at all.
pub(crate) fn version(program: &Path) -> Option<[u32; 3]> {
    let output = Command::new(program).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace().find_map(parse_version)
}

fn parse_version(word: &str) -> Option<[u32; 3]> {
    let (major, rest) = word.trim_start_matches('v').split_once('.')?;
    let number = |text: Option<&str>| {
        let text = text.unwrap_or("0");
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        text[..end].parse::<u32>().ok()
    };
    let mut rest = rest.split('.');
    Some([major.parse::<u32>().ok()?, number(rest.next())?, number(rest.next()).unwrap_or(0)])
}

fn is_postgres(folder: &Path) -> bool {
    let complete = ["initdb", "psql"].iter().all(|program| folder.join(program).exists());
    complete && version(&folder.join("postgres")).is_some_and(|version| version >= POSTGRES_MIN)
}

fn search_path() -> Vec<PathBuf> {
    env::var_os("PATH").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default()
}

/// What lies in a folder, last name first, so that newer versions win.
fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort_by(|a, b| b.cmp(a));
    paths
}

#[cfg(test)]
mod tests {
    use super::parse_version;

    #[test]
    fn a_version_is_read_as_each_server_states_it() {
        assert_eq!(parse_version("v2.15.1"), Some([2, 15, 1]));
        assert_eq!(parse_version("15.18"), Some([15, 18, 0]));
        assert_eq!(parse_version("v2.14.4-RC.1"), Some([2, 14, 4]));
        assert_eq!(parse_version("(PostgreSQL)"), None);
        assert_eq!(parse_version("nats-server:"), None);
    }
}
