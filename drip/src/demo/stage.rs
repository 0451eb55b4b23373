//! What the story asks of the running system, and how it waits for it. While it waits, new lines of the agent log are
//! told as they come.

use std::path::Path;
use std::time::{Duration, Instant};

use drip_client::{Account, CheckoutState, Client, JournalQuery, NewCheckout, Phase};
use locus_sandbox::{Effect, Entry, Handle, PayOptions};

use super::line::{Line, Mail};
use super::teller::Teller;
use crate::failure::{Exit, Failure};
use crate::server::config;

/// The user of the story.
pub(super) const USER: &str = "mia";
/// The pause between two looks.
const TICK: Duration = Duration::from_millis(50);
/// How long anything that is waited for may take.
const BOUND: Duration = Duration::from_secs(30);
/// The longest page of the agent log.
const PAGE: u32 = 1_000;

/// The system, and who tells of it.
pub(super) struct Stage {
    pub(super) client: Client,
    pub(super) sandbox: Handle,
    pub(super) teller: Teller,
    http: reqwest::Client,
    /// How far the agent log was told.
    log: Option<String>,
    /// How far the sandbox's record was told.
    record: u64,
    /// How many mails were told.
    pub(super) mails: usize,
}

impl Stage {
    pub(super) fn new(url: &str, dir: &Path, sandbox: Handle, teller: Teller) -> Result<Self, Failure> {
        let key = std::fs::read_to_string(config::dev_key_file(dir))?;
        let client = Client::new(url, key.trim().to_owned())?;
        // A container of the sandbox answers on this machine.
        let http = reqwest::Client::builder().no_proxy().timeout(BOUND).build();
        let http = http.map_err(anyhow::Error::from)?;
        Ok(Self { client, sandbox, teller, http, log: None, record: 0, mails: 0 })
    }

    /// A heading, after everything that belongs above it.
    pub(super) async fn step(
        &mut self,
        number: u8,
        title: &'static str,
        about: &'static str,
    ) -> Result<(), Failure> {
        tokio::time::sleep(self.teller.pause).await;
        self.teller.tell(&Line::Step { number, title, about })
    }

    /// Tells what is new: in the agent log, and in the sandbox's record of payments.
    pub(super) async fn news(&mut self) -> Result<(), Failure> {
        let page = self.client.log(self.log.as_deref(), Some(PAGE)).await?;
        self.log = Some(page.last_id);
        for entry in self.sandbox.record_after(self.record) {
            self.record = entry.n;
            self.payment(entry)?;
        }
        page.data.into_iter().try_for_each(|line| self.teller.tell(&Line::Log(line)))
    }

    /// Of the rest the agent log tells.
    fn payment(&mut self, entry: Entry) -> Result<(), Failure> {
        let session = match &entry.effect {
            Effect::SessionPaid { session, .. } | Effect::WebhookDelivered { session, .. } => session,
            _ => return Ok(()),
        };
        let sessions = self.sandbox.sessions();
        let paid = sessions.iter().find(|known| known.id == *session);
        let signed = paid.is_some_and(|session| session.webhook_secret.is_some());
        self.teller.tell(&Line::Outside { entry, signed })
    }

    /// Tells everything that has happened so far: views may be a moment behind.
    pub(super) async fn catch_up(&mut self) -> Result<Account, Failure> {
        let account = self.client.account(USER, false).await?;
        let query = JournalQuery {
            limit: Some(1),
            wait_for: Some(account.position.clone()),
            ..JournalQuery::default()
        };
        self.client.journal(USER, &query).await?;
        self.news().await?;
        Ok(account)
    }

    /// Waits until the account is so.
    pub(super) async fn until(
        &mut self,
        what: &str,
        mut so: impl FnMut(&Account) -> bool,
    ) -> Result<Account, Failure> {
        let begin = Instant::now();
        loop {
            let account = self.client.account(USER, false).await?;
            self.news().await?;
            if so(&account) {
                return self.catch_up().await;
            }
            self.tick(begin, what).await?;
        }
    }

    /// Waits until the container is there, and asks it what it answers.
    pub(super) async fn until_container(&mut self, phase: Phase) -> Result<(), Failure> {
        let is = |account: &Account| account.container.as_ref().is_some_and(|one| one.phase == phase);
        let account = self.until(&format!("the container is {phase}"), is).await?;
        let url = account.container.and_then(|container| container.url);
        let Some(url) = url else {
            return Err(Failure::new(Exit::Failed, "the container has no address"));
        };
        let url = format!("{}/health", url.trim_end_matches('/'));
        let answer = self.http.get(&url).send().await.map_err(anyhow::Error::from)?;
        self.teller.tell(&Line::Asked { url, status: answer.status().as_u16() })
    }

    /// Waits for the next mail, and tells it.
    pub(super) async fn until_mail(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            self.news().await?;
            let message = self.sandbox.messages().into_iter().nth(self.mails);
            if let Some(message) = message {
                self.mails += 1;
                self.teller.tell(&Line::Mail(Mail::from(&message)))?;
                return self.until_told().await;
            }
            self.tick(begin, "the mail is sent").await?;
        }
    }

    /// Waits until Drip knows of all mails that they were sent.
    async fn until_told(&mut self) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            let notices = self.client.notices(USER).await?;
            let sent = notices.iter().filter(|notice| notice.state == drip_client::NoticeState::Sent);
            if sent.count() >= self.mails {
                return self.catch_up().await.map(drop);
            }
            self.news().await?;
            self.tick(begin, "the mail counts as sent").await?;
        }
    }

    /// The user pays: a checkout session, paid at the sandbox, whose webhook tells Drip.
    pub(super) async fn pay(&mut self, amount: &str, key: &str) -> Result<(), Failure> {
        let checkout = NewCheckout::new(amount.parse().map_err(drip_client::Error::from)?).key(key);
        let session = self.client.open_checkout(USER, &checkout).await?;
        let id = session.id.clone();
        self.teller.tell(&Line::Checkout(session))?;
        self.news().await?;
        let paid = self.sandbox.pay_session(&id, PayOptions::default());
        paid.map_err(|refused| {
            Failure::new(Exit::Failed, format!("the sandbox took no payment: {refused}"))
        })?;
        self.until_paid(&id).await?;
        let account = self.catch_up().await?;
        self.teller.tell(&Line::Account(account))
    }

    /// Until the money is in the account, and the webhook was answered.
    async fn until_paid(&mut self, id: &str) -> Result<(), Failure> {
        let begin = Instant::now();
        loop {
            self.news().await?;
            let sessions = self.client.checkouts(USER).await?;
            let paid = sessions.iter().any(|one| one.id == id && one.state == CheckoutState::Paid);
            if paid && self.webhook_answered(id) {
                return Ok(());
            }
            self.tick(begin, "the payment is credited").await?;
        }
    }

    fn webhook_answered(&self, id: &str) -> bool {
        self.sandbox.record().iter().any(|entry| {
            matches!(&entry.effect, Effect::WebhookDelivered { session, status: Some(200..=299), .. } if session == id)
        })
    }

    async fn tick(&self, begin: Instant, what: &str) -> Result<(), Failure> {
        if begin.elapsed() > BOUND {
            let what = format!("waited for {} seconds, and still not: {what}", BOUND.as_secs());
            return Err(Failure::new(Exit::Failed, what));
        }
        tokio::time::sleep(TICK).await;
        Ok(())
    }
}
