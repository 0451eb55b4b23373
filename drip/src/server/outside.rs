//! The services outside: Locus and AgentMail where there are keys for them, else the sandbox in this process.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use command_api::checkouts::{CheckoutConfig, Checkouts};
use lifecycle_worker::{BuildWithLocus, Containers, Wallet};
use locus::webhook::OtherHeaders;
use locus::{Build, LocusKey, Mail, MailKey, Pay, Secret, Timing, build, mail, pay};
use locus_sandbox::{Config as SandboxConfig, Funds, Handle, Sandbox};
use notifier::{Direct, LocusX402, Transport};
use service_kit::Supervisor;

use crate::commands::parse;

/// Where the services outside are, and the keys for them.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OutsideArgs {
    /// The key of PayWithLocus, CheckoutWithLocus and BuildWithLocus, in the environment: LOCUS_API_KEY. Without it `drip
    /// up` uses a sandbox of its own.
    #[arg(long, env = "LOCUS_API_KEY", value_name = "KEY", hide = true, hide_env_values = true)]
    locus_api_key: Option<String>,

    /// PayWithLocus and CheckoutWithLocus.
    #[arg(long, env = "LOCUS_PAY_URL", default_value = pay::PRODUCTION, value_name = "URL")]
    locus_pay_url: String,

    /// BuildWithLocus.
    #[arg(long, env = "LOCUS_BUILD_URL", default_value = build::PRODUCTION, value_name = "URL")]
    locus_build_url: String,

    /// What checkout webhooks are signed with when a session has no secret of its own, in the environment:
    /// LOCUS_WEBHOOK_SECRET.
    #[arg(long, env = "LOCUS_WEBHOOK_SECRET", value_name = "SECRET", hide = true, hide_env_values = true)]
    locus_webhook_secret: Option<String>,

    /// Also look for the signatures of checkout webhooks in headers that are not documented.
    #[arg(long, env = "LOCUS_OTHER_SIGNATURE_HEADERS")]
    locus_other_signature_headers: bool,

    /// The key of AgentMail, in the environment: AGENTMAIL_API_KEY. Without it mails go by way of Locus.
    #[arg(long, env = "AGENTMAIL_API_KEY", value_name = "KEY", hide = true, hide_env_values = true)]
    agentmail_api_key: Option<String>,

    /// AgentMail.
    #[arg(long, env = "AGENTMAIL_URL", default_value = mail::PRODUCTION, value_name = "URL")]
    agentmail_url: String,

    /// The inbox that mails are sent from, an address. Without it no mails are sent.
    #[arg(long, env = "AGENTMAIL_INBOX", value_name = "ADDRESS", value_parser = parse::mail_address)]
    agentmail_inbox: Option<String>,

    /// How many times as fast as the world's the time of the sandbox runs, and with it the delays of workers and checkouts.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) sandbox_scale: u32,

    /// The sandbox keeps nothing over a restart: it writes all it has with every change, which takes time.
    #[arg(long, hide = true)]
    sandbox_forgets: bool,
}

/// The services outside, as they are used.
pub(crate) struct Outside {
    /// Money in, wallet, mails by way of Locus.
    pub(crate) pay: Pay,
    /// Containers.
    pub(crate) build: Build,
    /// Mails; `None`: none are sent.
    pub(crate) transport: Option<Arc<dyn Transport>>,
    /// The provider of sessions is asked over plain HTTP.
    pay_is_plain: bool,
    /// How sessions are made and looked after, without the webhook's address.
    pub(crate) checkouts: CheckoutConfig,
    /// The sandbox that stands in for all of them.
    pub(crate) sandbox: Option<SandboxSeen>,
}

/// The sandbox in this process.
#[derive(Debug, Clone)]
pub(crate) struct SandboxSeen {
    /// Tells what was done there, and takes orders.
    pub(crate) handle: Handle,
}

impl OutsideArgs {
    /// There is a key for them.
    pub(crate) fn has_keys(&self) -> bool {
        self.locus_api_key.is_some()
    }

    /// The services that the keys are for.
    ///
    /// Errors: a key is missing, or is none.
    pub(crate) fn connect(&self) -> Result<Outside> {
        let key = self.locus_api_key.as_deref().context(
            "there is no LOCUS_API_KEY: set it, or start `drip sandbox` and use its key and addresses",
        )?;
        let key = LocusKey::parse(key).context("LOCUS_API_KEY can not be used")?;
        let timing = Timing::default();
        let pay = pay::Config { base: self.locus_pay_url.clone(), key: key.clone(), timing: timing.clone() };
        let build = build::Config { base: self.locus_build_url.clone(), key, timing: timing.clone() };
        let pay = Pay::new(pay).context("PayWithLocus can not be asked")?;
        let headers =
            if self.locus_other_signature_headers { OtherHeaders::Accepted } else { OtherHeaders::Refused };
        let checkouts = CheckoutConfig {
            account_secret: self.locus_webhook_secret.clone().map(Secret::new),
            other_headers: headers,
            ..CheckoutConfig::default()
        };
        let transport = self.transport(&pay, &timing)?;
        let build = Build::new(build).context("BuildWithLocus can not be asked")?;
        let pay_is_plain = self.locus_pay_url.starts_with("http://");
        let checkouts = scaled(checkouts, self.sandbox_scale);
        Ok(Outside { pay, pay_is_plain, build, transport, checkouts, sandbox: None })
    }

    fn transport(&self, pay: &Pay, timing: &Timing) -> Result<Option<Arc<dyn Transport>>> {
        let inbox = self.agentmail_inbox.clone().filter(|inbox| !inbox.is_empty());
        let Some(inbox) = inbox else { return Ok(None) };
        let Some(key) = &self.agentmail_api_key else {
            return Ok(Some(Arc::new(LocusX402 { pay: pay.clone(), inbox })));
        };
        let key = MailKey::parse(key).context("AGENTMAIL_API_KEY can not be used")?;
        let config = mail::Config { base: self.agentmail_url.clone(), key, timing: timing.clone() };
        let mail = Mail::new(config).context("AgentMail can not be asked")?;
        Ok(Some(Arc::new(Direct { mail, inbox })))
    }

    /// A sandbox in this process that stands in for all of them. Its addresses are beside that of HTTP, so that they are
    /// the same after a restart; where those are taken, any.
    pub(crate) async fn sandbox(
        &self,
        dir: &Path,
        http: SocketAddr,
        supervisor: &Supervisor,
    ) -> Result<Outside> {
        let kept = (!self.sandbox_forgets).then_some(dir);
        let sandbox = self.start_sandbox(kept, beside(http, 1), beside(http, 2)).await?;
        let handle = sandbox.handle();
        let keys = handle.keys();
        let (locus, agentmail) = (keys.locus.first().cloned(), keys.mail.first().cloned());
        let args = Self {
            locus_api_key: locus,
            locus_pay_url: handle.pay_base(),
            locus_build_url: handle.build_base(),
            agentmail_api_key: agentmail,
            agentmail_url: handle.mail_base(),
            agentmail_inbox: Some("drip@agentmail.to".to_owned()),
            ..self.clone()
        };
        let seen = SandboxSeen { handle };
        let token = supervisor.token();
        supervisor.spawn("sandbox", sandbox.run(async move { token.cancelled().await }));
        Ok(Outside { sandbox: Some(seen), ..args.connect()? })
    }

    async fn start_sandbox(
        &self,
        dir: Option<&Path>,
        listen: SocketAddr,
        control: SocketAddr,
    ) -> Result<Sandbox> {
        let config = SandboxConfig {
            listen,
            control,
            scale: self.sandbox_scale.max(1),
            funds: plenty(),
            state_file: dir.map(|dir| dir.join("sandbox.json")),
            ..SandboxConfig::default()
        };
        match Sandbox::start(config.clone()).await {
            Ok(sandbox) => Ok(sandbox),
            Err(_) if listen.port() != 0 => {
                let any = SandboxConfig { listen: free(listen), control: free(control), ..config };
                Sandbox::start(any).await.context("the sandbox of the outside services can not be started")
            }
            Err(error) => Err(error).context("the sandbox of the outside services can not be started"),
        }
    }
}

impl Outside {
    /// Takes in money; webhooks are sent to this Drip where it is known how it is reached.
    pub(crate) fn checkouts(&self, public_url: Option<&str>) -> Checkouts {
        let webhook_url = public_url.filter(|url| self.may_send_to(url));
        if public_url.is_some() && webhook_url.is_none() {
            tracing::warn!(
                "no webhooks are asked for: --public-url (DRIP_PUBLIC_URL) does not begin with https://"
            );
        }
        let webhook_url = webhook_url.map(|url| format!("{url}/webhook/checkout-paid"));
        Checkouts::new(self.pay.clone(), CheckoutConfig { webhook_url, ..self.checkouts.clone() })
    }

    /// Locus answers 500 to a session whose webhooks would go over plain HTTP. Only a sandbox is asked that way itself.
    fn may_send_to(&self, public_url: &str) -> bool {
        self.pay_is_plain || public_url.starts_with("https://")
    }

    /// Makes containers.
    pub(crate) fn containers(&self) -> Arc<dyn Containers> {
        Arc::new(BuildWithLocus::new(self.build.clone()))
    }

    /// Where the money is.
    pub(crate) fn wallet(&self) -> Wallet {
        Wallet { pay: self.pay.clone(), build: self.build.clone() }
    }
}

/// Run the sandbox of the outside services by itself: Locus and AgentMail as they behave, on this machine.
#[derive(Debug, clap::Args)]
pub(crate) struct SandboxArgs {
    /// Where the services are answered.
    #[arg(long, default_value = "127.0.0.1:8378", value_name = "ADDR")]
    listen: SocketAddr,

    /// Where people see what was done, and give orders. It hands out money: never show it to the world.
    #[arg(long, default_value = "127.0.0.1:8379", value_name = "ADDR")]
    control: SocketAddr,

    /// How many times as fast as the world's its time runs.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    scale: u32,

    /// How others reach it, where that is not the address it listens on.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,

    /// Keep everything in this file over a restart.
    #[arg(long, value_name = "FILE")]
    state_file: Option<std::path::PathBuf>,
}

impl SandboxArgs {
    pub(crate) async fn run(self) -> Result<()> {
        let supervisor = super::roles::supervisor();
        let sandbox = Sandbox::start(self.config()).await.context("the sandbox can not be started")?;
        let handle = sandbox.handle();
        let (keys, shown) = (handle.keys(), |list: &[String]| list.join(", "));
        anstream::eprintln!(
            "The sandbox is up\n  page           {}\n  LOCUS_PAY_URL    {}\n  LOCUS_BUILD_URL  {}\n  \
             AGENTMAIL_URL    {}\n  LOCUS_API_KEY    {}\n  AGENTMAIL_API_KEY  {}",
            handle.control_url(),
            handle.pay_base(),
            handle.build_base(),
            handle.mail_base(),
            shown(&keys.locus),
            shown(&keys.mail)
        );
        let token = supervisor.token();
        supervisor.spawn("sandbox", sandbox.run(async move { token.cancelled().await }));
        Ok(supervisor.run_until_stopped().await?)
    }

    fn config(self) -> SandboxConfig {
        // Without a memory it must not give out ids that it has given out before, for something else.
        let seed = if self.state_file.is_some() { 1 } else { rand::random() };
        SandboxConfig {
            seed,
            listen: self.listen,
            control: self.control,
            scale: self.scale.max(1),
            public_url: self.public_url,
            state_file: self.state_file,
            funds: plenty(),
            ..SandboxConfig::default()
        }
    }
}

/// What a sandbox has that somebody tries Drip with: enough for hundreds of containers, where a sandbox of tests runs short
/// at the fifth.
fn plenty() -> Funds {
    let usdc = |units: i64| ledger_core::Usdc::from_credits(units * 1_000_000);
    Funds { usdc: usdc(1_000), build_credits: usdc(100_000), ..Funds::default() }
}

/// So many ports further; a free one beside a free one.
fn beside(address: SocketAddr, more: u16) -> SocketAddr {
    let port = if address.port() == 0 { 0 } else { address.port().wrapping_add(more) };
    SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port))
}

fn free(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), 0)
}

/// Delays that go with a faster clock.
fn scaled(config: CheckoutConfig, scale: u32) -> CheckoutConfig {
    let scale = scale.max(1);
    let shorter = |duration: Duration| duration / scale;
    CheckoutConfig { young_every: shorter(config.young_every), every: shorter(config.every), ..config }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_by_itself_has_money_for_as_many_containers_as_that_of_drip_up() {
        let any = SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
        let args = SandboxArgs { listen: any, control: any, scale: 1, public_url: None, state_file: None };
        let Funds { build_credits, service_price, .. } = args.config().funds;
        assert!(build_credits.credits() / service_price.credits() >= 100);
    }
}
