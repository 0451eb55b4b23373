//! Postgres on the disk: who runs it, with which programs, and the ready-made data folder each server gets a copy of.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::programs;

/// The superuser of every cluster.
pub(crate) const SUPERUSER: &str = "drip";

/// Another user than ours, because Postgres refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct Owner {
    uid: u32,
    gid: u32,
}

/// One of Postgres' programs, run by the user who may run it.
pub(crate) fn command(program: &str) -> Command {
    command_as(owner(), &bin().join(program))
}

/// Puts a fresh cluster at `data`, which does not exist yet.
pub(crate) fn copy_to(data: &Path) {
    run(Command::new("cp").arg("-a").arg(template()).arg(data));
}

/// Where servers' folders are made. Root's own temporary folder may be closed to the user who runs Postgres.
pub(crate) fn folder_for_servers() -> PathBuf {
    match owner() {
        Some(_) => PathBuf::from("/tmp"),
        None => std::env::temp_dir(),
    }
}

fn owner() -> Option<Owner> {
    if our_uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("root runs on a machine with users");
    let owner = ["postgres", "nobody"].iter().find_map(|name| parse_user(&users, name));
    Some(owner.expect("Postgres refuses to run as root, so the machine needs a user postgres or nobody"))
}

fn our_uid() -> u32 {
    fs::metadata("/proc/self").expect("Linux shows every process its own entry").uid()
}

fn parse_user(users: &str, name: &str) -> Option<Owner> {
    let mut fields = users.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let found = fields.next() == Some(name);
        found.then_some(fields)
    })?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(Owner { uid, gid })
}

fn command_as(owner: Option<Owner>, program: &Path) -> Command {
    let mut command = match owner {
        None => Command::new(program),
        Some(Owner { uid, gid }) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={gid}")]).arg("--clear-groups");
            command.arg(program);
            command
        }
    };
    command.env("LC_ALL", "C").current_dir("/");
    command
}

/// The programs' folder, reachable for the user who runs them: a checkout in root's home is closed to others, and
/// then the programs are copied to a place that is open.
fn bin() -> &'static Path {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    BIN.get_or_init(|| {
        let found = programs::postgres_bin();
        // Asked after the change of user is complete: setpriv itself still starts what only root may reach.
        let mut look = command_as(owner(), Path::new("test"));
        if look.arg("-x").arg(found.join("initdb")).status().is_ok_and(|status| status.success()) {
            return found.to_path_buf();
        }
        let installation = found.parent().expect("bin lies inside the installation");
        let open = Path::new("/var/tmp").join(format!("drip-postgres-{}", version_of(found)));
        make_once(&open, |fresh| {
            run(Command::new("cp").args(["-R", "--preserve=mode,links"]).arg(installation).arg(fresh))
        });
        let made_by = fs::metadata(&open).expect("it was just made").uid();
        assert_eq!(made_by, our_uid(), "{} was made by somebody else: remove it", open.display());
        open.join("bin")
    })
}

/// A cluster nobody has started yet, made by the first test that needs one.
fn template() -> PathBuf {
    let user = owner().map_or_else(our_uid, |owner| owner.uid);
    let name = format!("pg-template-{}-of-user-{user}", version_of(bin()));
    let target = programs::tools().join(name);
    make_once(&target, initialise);
    target
}

/// Runs initdb where its user may write, then brings the result to `fresh`.
fn initialise(fresh: &Path) {
    let work = tempfile::tempdir_in(folder_for_servers()).expect("the temporary folder takes a new folder");
    fs::set_permissions(work.path(), fs::Permissions::from_mode(0o755))
        .expect("the folder was just made by us");
    let data = work.path().join("data");
    // Small segments, because the cluster is copied for every server.
    make_at(&data, &["--no-sync", "--wal-segsize=1"]);
    run(Command::new("cp").arg("-a").arg(&data).arg(fresh));
}

/// Makes a cluster at `data`, which does not exist yet and lies where its user may look.
pub(crate) fn make_at(data: &Path, options: &[&str]) {
    fs::create_dir(data).expect("the folder around it was just made by us");
    if let Some(Owner { uid, gid }) = owner() {
        chown(data, Some(uid), Some(gid)).expect("root may give a folder away");
    }
    let mut initdb = command("initdb");
    initdb.arg("-D").arg(data).args(["-U", SUPERUSER, "--auth=trust", "--encoding=UTF8", "--no-locale"]);
    run(initdb.args(options));
}

/// Makes a folder unless it is there. Several processes may do it at once: one wins, all find it complete.
fn make_once(target: &Path, make: impl FnOnce(&Path)) {
    if target.exists() {
        return;
    }
    let parent = target.parent().expect("every target lies in a folder");
    fs::create_dir_all(parent)
        .unwrap_or_else(|error| panic!("{} can not be made: {error}", parent.display()));
    let staging = tempfile::Builder::new().prefix(".new-").tempdir_in(parent);
    let staging = staging.unwrap_or_else(|error| panic!("{} can not be written: {error}", parent.display()));
    let fresh = staging.path().join("fresh");
    make(&fresh);
    if let Err(error) = fs::rename(&fresh, target) {
        assert!(target.exists(), "{} can not be made: {error}", target.display());
    }
}

fn version_of(bin: &Path) -> String {
    let [major, minor, _] =
        programs::version(&bin.join("postgres")).expect("it has stated its version before");
    format!("{major}.{minor}")
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} can not be started: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{said}", output.status);
}

#[cfg(test)]
mod tests {
    use super::{Owner, parse_user};

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:101:104:,,,:/var:/bin/sh\n";
        assert!(matches!(parse_user(users, "postgres"), Some(Owner { uid: 101, gid: 104 })));
        assert!(parse_user(users, "nobody").is_none());
    }
}
