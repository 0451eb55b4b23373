//! `drip checkout`, `drip checkouts`: how users pay in.

use chrono::SecondsFormat;
use drip_client::{Amount, CheckoutSession, CheckoutState, Client, NewCheckout, Resolution, new_key};

use super::account::of_write;
use super::connect::ClientArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, text};

/// Open a checkout session: prints the address of the page on which the user pays. What is paid there is credited once.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckoutArgs {
    #[command(flatten)]
    client: ClientArgs,
    user: String,
    /// How much, in USDC: 5
    #[arg(allow_negative_numbers = true)]
    amount: Amount,
    /// What the payer reads.
    #[arg(long)]
    description: Option<String>,
    /// Where the page leads after a payment.
    #[arg(long, value_name = "URL")]
    success_url: Option<String>,
    /// Where it leads when the payer turns back.
    #[arg(long, value_name = "URL")]
    cancel_url: Option<String>,
    /// The idempotency key: the same one again answers the same session [default: a new one].
    #[arg(long)]
    key: Option<String>,
}

/// List checkout sessions: those that wait for a person or for money, or all of a user.
#[derive(Debug, clap::Args)]
pub(crate) struct CheckoutsArgs {
    #[command(flatten)]
    client: ClientArgs,
    /// All sessions of this user.
    user: Option<String>,
    /// Only those that wait for a person.
    #[arg(long, conflicts_with = "pending")]
    parked: bool,
    /// Only those that wait for money.
    #[arg(long)]
    pending: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Look at a session now, without waiting for the provider to tell.
    Refresh { session: String },
    /// Decide about a session that waits.
    Resolve(Resolve),
}

#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("resolution").required(true)))]
struct Resolve {
    session: String,
    /// It brings this much, in USDC, whatever was asked for.
    #[arg(long, value_name = "AMOUNT", allow_negative_numbers = true, group = "resolution")]
    credit: Option<Amount>,
    /// Nothing comes of it.
    #[arg(long, group = "resolution")]
    dismiss: bool,
}

impl CheckoutArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let Self { client, user, amount, description, success_url, cancel_url, key } = self;
        let key = key.unwrap_or_else(new_key);
        let asked = NewCheckout { amount, description, success_url, cancel_url, key: Some(key.clone()) };
        let opened = client.client()?.open_checkout(&user, &asked).await;
        let session = opened.map_err(of_write(Some(&key)))?;
        if output.json {
            output.object(&session, pairs)?;
        } else {
            anstream::eprintln!("session {}, to be paid until {}", session.id, session.expires_at);
            output.line(&session.url)?;
        }
        Ok(Exit::Done)
    }
}

impl CheckoutsArgs {
    pub(crate) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let client = self.client.client()?;
        match (&self.verb, &self.user) {
            (Some(_), Some(user)) => return Err(no_user(user)),
            (Some(Verb::Refresh { session }), None) => {
                output.object(&client.refresh_checkout(session).await?, pairs)?;
            }
            (Some(Verb::Resolve(resolve)), None) => {
                let resolved = client.resolve_checkout(&resolve.session, resolve.resolution()).await?;
                output.object(&resolved, pairs)?;
            }
            (None, Some(user)) => {
                let mut sessions = client.checkouts(user).await?;
                sessions.retain(|session| self.wants(&session.state));
                table(output, &sessions)?;
            }
            (None, None) => self.waiting(output, &client).await?,
        }
        Ok(Exit::Done)
    }

    /// Those for a person first: they do not go away by themselves.
    async fn waiting(&self, output: Output, client: &Client) -> Result<(), Failure> {
        let mut sessions = Vec::new();
        for state in [CheckoutState::Parked, CheckoutState::Pending] {
            if self.wants(&state) {
                sessions.extend(client.checkouts_waiting(state).await?);
            }
        }
        table(output, &sessions)
    }

    fn wants(&self, state: &CheckoutState) -> bool {
        match (self.parked, self.pending) {
            (true, _) => *state == CheckoutState::Parked,
            (_, true) => *state == CheckoutState::Pending,
            _ => true,
        }
    }
}

impl Resolve {
    fn resolution(&self) -> Resolution {
        self.credit.map_or(Resolution::Dismiss, Resolution::Credit)
    }
}

fn no_user(user: &str) -> Failure {
    let what = format!("a session is named alone, without the user \"{user}\"");
    Failure::new(Exit::Usage, what).try_this("Leave the user out.")
}

fn pairs(session: &CheckoutSession) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("session", session.id.clone()),
        ("user", session.user_id.clone()),
        ("amount", format!("{} USDC", session.amount)),
        ("state", session.state.to_string()),
        ("url", session.url.clone()),
        ("expires", session.expires_at.to_rfc3339()),
    ];
    pairs.extend(session.reason.clone().map(|reason| ("reason", reason)));
    pairs.extend(session.paid.map(|paid| ("paid", format!("{paid} USDC"))));
    pairs
}

fn table(output: Output, sessions: &[CheckoutSession]) -> Result<(), Failure> {
    let header = ["opened", "user", ">amount", "state", "reason", ">paid", "session"];
    output.list(sessions, header, |session| {
        let opened = session.opened_at.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
        [
            text(opened.as_ref()),
            session.user_id.clone(),
            session.amount.to_string(),
            session.state.to_string(),
            text(session.reason.as_ref()),
            text(session.paid.as_ref()),
            session.id.clone(),
        ]
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckoutsArgs,
    }

    fn resolution(words: &[&str]) -> Result<Resolution, clap::Error> {
        let line = Line::try_parse_from(["checkouts"].iter().chain(words))?;
        let Some(Verb::Resolve(resolve)) = line.args.verb else { panic!("{line:?}") };
        Ok(resolve.resolution())
    }

    #[test]
    fn a_session_is_never_dismissed_unless_that_is_said() {
        assert_eq!(resolution(&["resolve", "s", "--dismiss"]).unwrap(), Resolution::Dismiss);
        let four = Resolution::Credit("4".parse().unwrap());
        assert_eq!(resolution(&["resolve", "s", "--credit", "4"]).unwrap(), four);
        for words in [&["resolve", "s"][..], &["resolve", "s", "--credit", "4", "--dismiss"], &["resolve"]] {
            assert!(resolution(words).is_err(), "{words:?}");
        }
    }
}
