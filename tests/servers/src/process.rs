//! One server process, its folder, and the watcher that ends both when the test process ends.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Reads the server's process id from each line (0 for none) until the test process is gone or lets go, then ends the
/// last one with the given signal and removes the folder. Dying children may still write there: it tries for a while.
/// A process whose end nobody has collected yet (state Z) counts as ended. "-" before the id means the process group.
/// (The kernel's own parent-death signal will not do: it fires when the *thread* that started the server ends.)
const WATCHER: &str = r#"
pid=0
while read -r line; do pid=$line; done
runs() { read -r state <"/proc/$pid/stat" && case $state in *") Z "*) false ;; esac; }
if [ "$pid" != 0 ]; then
    kill -CONT "$3$pid"; kill -"$2" "$3$pid"
    n=0; while runs && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
    kill -KILL "$3$pid"
fi
n=0; until rm -rf "$1" || [ $n -ge 50 ]; do sleep 0.1; n=$((n+1)); done
"#;

const TICK: Duration = Duration::from_millis(20);

/// How a server is ended when nobody cares about its data any more.
#[derive(Clone, Copy, Debug)]
pub enum End {
    /// SIGKILL.
    Kill,
    /// SIGKILL to it and to all that it has started: a chromedriver's browsers would go on without it.
    KillGroup,
    /// SIGQUIT: Postgres leaves at once, but gives its shared memory back first.
    Quit,
}

/// A server process and everything it owns on the disk: a folder, and in it what the process said. Dropping it ends the
/// process and removes the folder; so does the end of the test process, however it comes.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    end: End,
    folder: PathBuf,
    child: Option<Child>,
    watcher: Child,
}

impl Process {
    /// A new, empty folder under `parent`, watched; nothing runs yet. Other users may enter it.
    ///
    /// # Panics
    ///
    /// If no folder can be made there.
    #[must_use]
    pub fn new(name: &'static str, end: End, parent: &Path) -> Self {
        let folder = tempfile::Builder::new()
            .prefix(&format!("drip-test-{name}-"))
            .tempdir_in(parent)
            .unwrap_or_else(|error| {
                panic!("no temporary folder can be made in {}: {error}", parent.display())
            })
            .keep();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))
            .expect("the folder was just made by us");
        let watcher = watch(&folder, end);
        Self { name, end, folder, child: None, watcher }
    }

    /// The server's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the program; its output goes to the log.
    ///
    /// # Panics
    ///
    /// If it runs already, or the program can not be started.
    pub fn spawn(&mut self, mut command: Command) {
        assert!(self.child.is_none(), "{} already runs", self.name);
        let log = File::options().create(true).append(true).open(self.log_path());
        let log = log.expect("the log file lies in our own folder");
        let errors = log.try_clone().expect("a file handle can be cloned");
        // Its own process group: Ctrl-C at the terminal is for the tests, the watcher ends the server.
        let child = command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?} can not be started: {error}"));
        self.tell_watcher(child.id());
        self.child = Some(child);
    }

    /// The process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How it ended, once it did; forgets the process then.
    ///
    /// # Panics
    ///
    /// Never: a child of ours can always be waited for.
    pub fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.child.as_mut()?.try_wait().expect("our own child can be waited for")?;
        self.forget();
        Some(status)
    }

    /// Sends a signal, named as `kill` names it.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn signal(&self, signal: &str) {
        let pid =
            self.pid().unwrap_or_else(|| panic!("{} does not run, so it gets no SIG{signal}", self.name));
        assert!(self::signal(pid, signal), "SIG{signal} did not reach {} ({pid})", self.name);
    }

    /// The processes that this one has started, each with its command line.
    pub(crate) fn children(&self) -> Vec<(u32, String)> {
        let Some(pid) = self.pid() else { return Vec::new() };
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(path).unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        children.map(|child| (child, command_line(child))).collect()
    }

    /// SIGKILL, and waits for the end. Nothing happens if it does not run.
    ///
    /// # Panics
    ///
    /// Never: a child of ours can always be killed.
    pub fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            if let End::KillGroup = self.end {
                signal(format_args!("-{}", child.id()), "KILL");
            }
            child.kill().expect("our own child can be killed");
            child.wait().expect("our own child can be waited for");
            self.forget();
        }
    }

    /// The signal, then waits for the end; how it ended, if it ran.
    ///
    /// # Panics
    ///
    /// If it still runs when the bound has passed.
    pub async fn stop(&mut self, signal: &str, bound: Duration) -> Option<ExitStatus> {
        self.child.as_ref()?;
        self.signal(signal);
        let begin = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Some(status);
            }
            assert!(
                begin.elapsed() < bound,
                "{} still runs {bound:?} after SIG{signal}\n{}",
                self.name,
                self.log()
            );
            tick().await;
        }
    }

    /// All that it ever said, over all its starts.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    /// The end of the log, for a panic's message.
    #[must_use]
    pub fn log(&self) -> String {
        let text = self.output();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(30)..].join("\n");
        format!("--- the end of the log of {} ---\n{tail}", self.name)
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn forget(&mut self) {
        self.child = None;
        self.tell_watcher(0);
    }

    fn tell_watcher(&mut self, pid: u32) {
        if let Some(pipe) = &mut self.watcher.stdin {
            writeln!(pipe, "{pid}").expect("the watcher reads until we let go");
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A signal that can not be sent panics, which must not happen while a failed test already does.
        if let End::Quit = self.end
            && self.child.is_some()
            && !std::thread::panicking()
        {
            self.signal("QUIT");
            let ended = self.child.take().map(|mut child| child.wait());
            self.tell_watcher(0);
            drop(ended);
        }
        self.kill();
        drop(self.watcher.stdin.take());
        // A failure here leaves a folder in the temporary directory, which is not worth a panic inside a drop.
        let _ = self.watcher.wait();
    }
}

/// Sends a signal, named as `kill` names it, to a process or, behind a "-", to its group. Whether it arrived.
pub(crate) fn signal(whom: impl Display, signal: &str) -> bool {
    let script = "kill -\"$1\" \"$2\"";
    let status = Command::new("sh").args(["-c", script, "sh", signal, &whom.to_string()]).status();
    status.is_ok_and(|status| status.success())
}

/// How a process calls itself; empty when it is gone.
fn command_line(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// The pause between two looks at a condition.
pub(crate) async fn tick() {
    tokio::time::sleep(TICK).await;
}

fn watch(folder: &Path, end: End) -> Child {
    let (signal, group) = match end {
        End::Kill => ("KILL", ""),
        End::KillGroup => ("KILL", "-"),
        End::Quit => ("QUIT", ""),
    };
    let mut command = Command::new("sh");
    command.args(["-c", WATCHER, "sh"]).arg(folder).args([signal, group]).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().expect("every Unix machine has sh")
}
