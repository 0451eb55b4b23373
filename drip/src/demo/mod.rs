//! `drip demo`: the story of one user and one container, from the first payment to the audit, told while it happens.
//!
//! It runs what `drip up` runs, on embedded engines in a folder of its own and with a sandbox of the outside services,
//! and asks it as a product would: over HTTP. What is printed was answered by the system or stands in the sandbox's
//! record; what the demo adds are headings and the reasons beneath them.
//!
//! In reading order: this page (what is started and stopped), `story` (what happens), `calls` (the sample of usage),
//! `stage` (what is asked and waited for), `line` (what can be told), `teller` (how it is printed), `text` (for people).

mod calls;
mod line;
mod stage;
mod story;
mod teller;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::Resettable;
use clap::{Args as _, FromArgMatches as _};

use self::line::Line;
use self::stage::Stage;
use self::teller::Teller;
use crate::commands::parse;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::server::roles;
use crate::server::up::{Started, Up};

/// Watch what Drip does: one user pays, works, runs out of credit, sleeps, tops up and is woken; then everything is
/// audited. Takes less than a minute and needs nothing.
///
/// Everything runs in this process, in a temporary folder, with a sandbox in place of the outside services: nothing of
/// this machine's Drips is touched, no environment variable is heeded, nothing is charged anywhere. With DRIP_LOG=info
/// the roles write their own logs to stderr.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Keep the data in this new folder, to look at it later.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// How many times as fast as the world's the time of the outside services runs.
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    scale: u32,
    /// Wait so long before each step, for watching: 3, 500ms.
    #[arg(long, default_value = "0", value_name = "SECONDS", value_parser = parse::duration)]
    pause: Duration,
}

/// A folder that goes with the demo, or one that stays.
enum Folder {
    Passing(tempfile::TempDir),
    Kept(PathBuf),
}

impl Demo {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        if std::env::var_os(service_kit::telemetry::FILTER_VARIABLE).is_some() {
            crate::log_to_stderr()?;
        }
        let folder = self.folder()?;
        let up = prepared(folder.path(), self.scale);
        let started = up.start().await?;
        let teller = Teller::new(output, self.pause);
        let told = Box::pin(told(&self, up, started, &folder, teller)).await;
        // Before the last word: a folder that could not be removed is no reason to fail.
        drop(folder);
        told.map(|()| Exit::Done)
    }

    fn folder(&self) -> Result<Folder, Failure> {
        match &self.data_dir {
            Some(dir) if holds_something(dir) => {
                Err(Failure::new(Exit::Usage, format!("there is something in {} already", dir.display()))
                    .try_this("Name a folder that is not there yet: the demo begins at the beginning."))
            }
            Some(dir) => Ok(Folder::Kept(std::path::absolute(dir)?)),
            None => Ok(Folder::Passing(tempfile::Builder::new().prefix("drip-demo-").tempdir()?)),
        }
    }
}

impl Folder {
    fn path(&self) -> &Path {
        match self {
            Self::Passing(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }
}

fn holds_something(dir: &Path) -> bool {
    match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

/// `drip up` with its defaults. The environment is not asked: it may name servers and keys that are in use.
fn prepared(dir: &Path, scale: u32) -> Up {
    let command = Up::augment_args(clap::Command::new("demo")).mut_args(|arg| arg.env(Resettable::Reset));
    let scale = scale.to_string();
    let dir = dir.as_os_str();
    let flags = ["demo".as_ref(), "--data-dir".as_ref(), dir, "--http".as_ref(), "127.0.0.1:0".as_ref()];
    let flags = flags.into_iter().chain(["--sandbox-scale".as_ref(), scale.as_ref()]);
    let matches = command.get_matches_from(flags);
    Up::from_arg_matches(&matches).expect("the flags are those of drip up")
}

/// Tells the story while everything runs, then stops everything. A signal stops both.
async fn told(demo: &Demo, up: Up, started: Started, folder: &Folder, teller: Teller) -> Result<(), Failure> {
    let Started { supervisor, opened, .. } = &started;
    let (supervisor, opened) = (supervisor.clone(), opened.clone());
    let stopping = supervisor.token();
    let story = async {
        let told = Box::pin(stopping.run_until_cancelled(begun(demo, up, started, folder, teller))).await;
        supervisor.shutdown();
        told
    };
    let (told, stopped) = tokio::join!(story, roles::run_until_stopped(supervisor.clone(), opened));
    stopped.map_err(anyhow::Error::from)?;
    told.unwrap_or_else(|| Err(Failure::new(Exit::Interrupted, "the demo was stopped")))
}

async fn begun(
    demo: &Demo,
    up: Up,
    started: Started,
    folder: &Folder,
    mut teller: Teller,
) -> Result<(), Failure> {
    let Started { address, desk, sandbox, .. } = started;
    let stopped = |_| Failure::new(Exit::Failed, "Drip stopped before it took commands");
    desk.ready().await.map_err(stopped)?;
    let sandbox = sandbox.expect("without keys there is a sandbox").handle;
    let (dir, url) = (folder.path().to_owned(), format!("http://{address}"));
    let kept = matches!(folder, Folder::Kept(_));
    teller.tell(&Line::Begun {
        http: url.clone(),
        sandbox: sandbox.control_url(),
        data_dir: dir.clone(),
        kept,
        scale: demo.scale,
    })?;
    let stage = Stage::new(&url, &dir, sandbox, teller)?;
    story::tell(stage, up.engines, kept.then_some(dir)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demo_is_a_drip_up_with_its_defaults_in_its_own_folder() {
        let up = prepared(Path::new("somewhere"), 30);
        assert_eq!(up.engines.data_dir, Path::new("somewhere"));
        assert!(up.engines.nats.is_none() && up.engines.database_url.is_none());
    }

    #[test]
    fn a_folder_with_something_in_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let demo = |dir: &Path| Demo { data_dir: Some(dir.to_owned()), scale: 30, pause: Duration::ZERO };
        assert!(demo(dir.path()).folder().is_ok());
        assert!(demo(&dir.path().join("new")).folder().is_ok());
        std::fs::write(dir.path().join("log.db"), "").unwrap();
        let refused = demo(dir.path()).folder().err().map(|failure| failure.exit());
        assert_eq!(refused, Some(Exit::Usage));
    }
}
