//! `drip log`: what happened to accounts, and what was done about it.

use std::time::Duration;

use drip_client::{Client, Error, LogLine, LogPage};

use super::connect::ClientArgs;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// How long the log is left alone between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest page.
const PAGE_MAX: u32 = 1_000;

/// Show the agent log: low and depleted credit, containers, mails, checkout sessions. Times are UTC.
#[derive(Debug, clap::Args)]
pub(crate) struct LogArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// Go on with what comes, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines.
    #[arg(short = 'n', long = "lines", default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    lines: u32,
}

impl LogArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let client = self.client.client()?;
        let page = client.log(None, Some(self.lines)).await?;
        show(output, &page.data)?;
        if self.follow {
            tokio::select! {
                ended = follow(output, &client, page) => ended?,
                stopped = tokio::signal::ctrl_c() => stopped?,
            }
        }
        Ok(Exit::Done)
    }
}

/// Ends only with what asking again can not mend.
async fn follow(output: Output, client: &Client, mut page: LogPage) -> Result<(), Failure> {
    let mut away = false;
    loop {
        // A page that is full has more behind it.
        if page.data.len() < PAGE_MAX as usize {
            tokio::time::sleep(PAUSE).await;
        }
        match client.log(Some(&page.last_id), Some(PAGE_MAX)).await {
            Ok(next) => {
                away = false;
                show(output, &next.data)?;
                page = next;
            }
            Err(error @ Error::Unavailable { .. }) => {
                tell_away(&mut away, &error);
                page.data.clear();
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Once, however long it is away.
fn tell_away(away: &mut bool, error: &Error) {
    if !std::mem::replace(away, true) {
        anstream::eprintln!("{error}; asking on");
    }
}

fn show(output: Output, lines: &[LogLine]) -> Result<(), Failure> {
    if output.json {
        return output.lines(lines);
    }
    lines.iter().try_for_each(|line| output.line(&human(line)))
}

fn human(line: &LogLine) -> String {
    let user = line.user_id.as_deref().unwrap_or("-");
    let text = format!("{} {user}  {}", line.at.format("%H:%M:%S"), line.message);
    match colour(&line.message) {
        Some(colour) => format!("\x1b[{colour}m{text}\x1b[0m"),
        None => text,
    }
}

/// What somebody should look at.
fn colour(message: &str) -> Option<u8> {
    const RED: u8 = 31;
    const YELLOW: u8 = 33;
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&["depleted", "failed", "will not be sent", "waits for a person", "critical"]) {
        return Some(RED);
    }
    says(&["low credit"]).then_some(YELLOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_when_who_and_what_and_stands_out_when_somebody_should_look() {
        let line = |user: Option<&str>, message: &str| LogLine {
            at: "2026-11-27T18:05:09.5Z".parse().unwrap(),
            user_id: user.map(str::to_owned),
            message: message.to_owned(),
            position: "0-3-1".to_owned(),
            kind: "crossed".to_owned(),
        };
        assert_eq!(human(&line(Some("anna"), "woken by hand")), "18:05:09 anna  woken by hand");
        let depleted = human(&line(None, "balance depleted: 0 USDC of 1 USDC left"));
        assert_eq!(depleted, "\x1b[31m18:05:09 -  balance depleted: 0 USDC of 1 USDC left\x1b[0m");
        assert_eq!(colour("it failed, to be tried again: no answer"), Some(31));
        assert_eq!(colour("low credit: 0.1 USDC of 1 USDC left"), Some(33));
        assert_eq!(colour("container runs and answers"), None);
    }
}
