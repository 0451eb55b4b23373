//! `drip container`, `drip hibernate`, `drip restore`: what runs for a user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use drip_client::{Account, ContainerSettings};

use super::account::show;
use super::connect::ClientArgs;
use super::parse;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Say what a user's container is to be: it is made, or deployed anew, when there is credit.
#[derive(Debug, clap::Args)]
pub(crate) struct ContainerArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
    /// A public image with its tag, for linux/arm64, that answers on port 8080.
    #[arg(long)]
    image: String,
    /// Where it answers 200 when it is well [default: /health].
    #[arg(long, value_name = "PATH")]
    health_path: Option<String>,
    /// A variable of its environment; may be given often. Command lines can be seen by other users of the machine: what
    /// is secret goes into a file.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse::variable)]
    var: Vec<(String, String)>,
    /// A file of such lines; empty ones and those that begin with `#` are passed over. `--var` wins over it.
    #[arg(long, value_name = "FILE")]
    var_file: Option<PathBuf>,
}

/// Put a user's account to sleep: the container hibernates, and debits are refused until it is restored.
#[derive(Debug, clap::Args)]
pub(crate) struct HibernateArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
}

/// Wake a user's account. What failed is tried again at once.
#[derive(Debug, clap::Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
    /// Also without credit: it runs until money comes in, or until it is put to sleep again.
    #[arg(long)]
    force: bool,
}

impl ContainerArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let client = self.client.client()?;
        let mut variables = self.var_file.as_deref().map(read_file).transpose()?.unwrap_or_default();
        variables.extend(self.var);
        let settings = ContainerSettings { image: self.image, health_path: self.health_path, variables };
        show(output, &client.set_container(&self.user, &settings).await?)?;
        Ok(Exit::Done)
    }
}

impl HibernateArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let account = self.client.client()?.hibernate(&self.user).await?;
        show_changed(output, &account, "the account was asleep already: nothing changed")
    }
}

impl RestoreArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let account = self.client.client()?.restore(&self.user, self.force).await?;
        show_changed(output, &account, "the account was awake already: nothing changed")
    }
}

fn show_changed(output: Output, account: &Account, unchanged: &str) -> Result<Exit, Failure> {
    if account.changed == Some(false) {
        anstream::eprintln!("{unchanged}");
    }
    show(output, account)?;
    Ok(Exit::Done)
}

fn read_file(file: &Path) -> Result<BTreeMap<String, String>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        let what = format!("{} can not be read", file.display());
        Failure::new(Exit::Usage, what).because(&error)
    })?;
    variables_of(&text).map_err(|(line, rule)| {
        let what = format!("line {line} of {} is no variable: it {rule}", file.display());
        Failure::new(Exit::Usage, what).try_this("Nothing was sent.")
    })
}

/// Error: the number of the first line that is none, and why.
fn variables_of(text: &str) -> Result<BTreeMap<String, String>, (usize, String)> {
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|(number, line)| parse::variable(line).map_err(|rule| (number, rule))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables_is_read_line_by_line() {
        let read = variables_of("# a comment\n\nA=b\nURL=postgres://a:b@c/d?e=f\nEMPTY=\r\n").unwrap();
        let pairs: Vec<_> = read.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("A", "b"), ("EMPTY", ""), ("URL", "postgres://a:b@c/d?e=f")]);
        assert_eq!(variables_of("A=b\nsecret").unwrap_err().0, 2);
        assert!(!variables_of("secret").unwrap_err().1.contains("secret"));
    }
}
