//! What a sandbox is started with: addresses, keys, money, timings, and the switches where the real services are
//! undocumented or differ from their documentation.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ledger_core::Usdc;
use serde::{Deserialize, Serialize};

use crate::clock::Time;

/// What a sandbox is started with. The default listens on free ports of this machine and runs in real time.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the three services are answered; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where orders to the sandbox are taken. Never show it to the world: it hands out money.
    pub control: SocketAddr,
    /// How clients reach the three services, where that is not the address they listen on: `http://sandbox:4100`.
    pub public_url: Option<String>,
    /// How people reach the control listener, where that is not the address it listens on.
    pub control_url: Option<String>,
    /// The same seed makes the same ids in the same order.
    pub seed: u64,
    /// How many times as fast as the world's the sandbox's time runs: with 60 a minute passes in a second. Moments in
    /// answers, such as `expiresAt`, are of the sandbox's time, which is then ahead of the world's.
    pub scale: u32,
    /// The sandbox's time at its start. A state file that is further on wins.
    pub starts_at: Time,
    /// How long things take, in the sandbox's time.
    pub timings: Timings,
    /// Which of the possible behaviours it shows at first.
    pub switches: Switches,
    /// The keys it accepts.
    pub keys: Keys,
    /// The money it starts with.
    pub funds: Funds,
    /// What calls of wrapped and x402 endpoints cost, by path: "exa/search", "agentmail-send-message".
    pub prices: BTreeMap<String, Usdc>,
    /// The mail inboxes that are there from the start, as addresses.
    pub inboxes: Vec<String>,
    /// How many inboxes there may be.
    pub inboxes_max: usize,
    /// Where everything is kept over a restart; without it, everything is forgotten. What it holds wins over the funds,
    /// switches and inboxes given here.
    pub state_file: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            listen: free,
            control: free,
            public_url: None,
            control_url: None,
            seed: 1,
            scale: 1,
            starts_at: Time::from_unix_millis(service_kit::clock::now() / 1_000),
            timings: Timings::default(),
            switches: Switches::default(),
            keys: Keys::default(),
            funds: Funds::default(),
            prices: prices(),
            inboxes: vec!["drip@agentmail.to".to_owned()],
            inboxes_max: 10,
            state_file: None,
        }
    }
}

/// The documented estimates, fee included.
fn prices() -> BTreeMap<String, Usdc> {
    let prices = [
        ("exa/search", 10_000),
        ("firecrawl/scrape", 4_000),
        ("anthropic/messages", 23_000),
        ("openai/chat", 23_000),
        ("agentmail-create-inbox", 2_000_000),
        ("agentmail-send-message", 10_000),
        ("agentmail-list-messages", 0),
        ("agentmail-list-inboxes", 0),
    ];
    prices.map(|(path, credits)| (path.to_owned(), Usdc::from_credits(credits))).into()
}

/// The keys the sandbox accepts. They are no secrets: nothing but a sandbox takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// For PayWithLocus, and to exchange for a token of BuildWithLocus.
    pub locus: Vec<String>,
    /// For AgentMail.
    pub mail: Vec<String>,
}

impl Default for Keys {
    fn default() -> Self {
        Self { locus: vec!["claw_dev_sandbox".to_owned()], mail: vec!["am_sandbox".to_owned()] }
    }
}

/// The money a sandbox starts with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Funds {
    /// USDC in the PayWithLocus wallet.
    pub usdc: Usdc,
    /// Promo credits beside it, which wrapped calls spend first.
    pub promo: Usdc,
    /// Credits at BuildWithLocus.
    pub build_credits: Usdc,
    /// What one service costs at its creation.
    pub service_price: Usdc,
}

impl Default for Funds {
    fn default() -> Self {
        Self {
            usdc: Usdc::from_credits(12_500_000),
            promo: Usdc::from_credits(7_750_000),
            build_credits: Usdc::from_credits(1_000_000),
            service_price: Usdc::from_credits(250_000),
        }
    }
}

/// How long things take, in the sandbox's time unless it says otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timings {
    /// From paying a session to `PAID`.
    pub confirmation: Duration,
    /// How long a session may be paid when its creation does not say.
    pub session_life: Duration,
    /// The pauses before the second, third and fourth attempt to deliver a webhook.
    pub webhook_retries: Vec<Duration>,
    /// How long the receiver of a webhook may take, in the world's time: it does not run faster because we do.
    pub webhook_patience: Duration,
    /// How long a token of BuildWithLocus is good.
    pub token_life: Duration,
    /// `queued` until `deploying`.
    pub queued: Duration,
    /// `deploying` until `healthy` or `failed`.
    pub deploying: Duration,
    /// How long the URL of a service answers 503 after `healthy`.
    pub unreachable: Duration,
    /// How long instances take to run after the desired count rose without a deployment.
    pub instances_start: Duration,
    /// How long `runtime_instances` is cached.
    pub runtime_cache: Duration,
    /// How long a send to `slow@…` takes.
    pub slow_mail: Duration,
    /// From a send to the news of its delivery, bounce or complaint.
    pub mail_fate: Duration,
    /// How long an `Idempotency-Key` is remembered after its send completed.
    pub idempotency: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            confirmation: seconds(20),
            session_life: seconds(30 * 60),
            webhook_retries: vec![seconds(5), seconds(30), seconds(180)],
            webhook_patience: seconds(10),
            token_life: seconds(30 * 24 * 3_600),
            queued: seconds(5),
            deploying: seconds(30),
            unreachable: seconds(60),
            instances_start: seconds(20),
            runtime_cache: seconds(30),
            slow_mail: seconds(10),
            mail_fate: seconds(5),
            idempotency: seconds(24 * 3_600),
        }
    }
}

/// The behaviours that can be changed while the sandbox runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Whether checkout behaves as documented or as observed in beta.
    pub mode: Mode,
    /// The fields of `GET /pay/balance`.
    pub balance_shape: BalanceShape,
    /// The status of a wrapped call that the wallet can not pay.
    pub short_wallet: ShortWallet,
    /// What makes the desired count of a service follow its `minInstances`.
    pub scaling: Scaling,
    /// What a partial `runtime` in a PATCH does to the fields it leaves out.
    pub runtime_patch: RuntimePatch,
    /// Whether `?include=runtime` shows fresh numbers or numbers up to 30 s old.
    pub runtime_cache: RuntimeCache,
}

/// Whether checkout behaves as documented or as observed in beta.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Sessions with a `webhookUrl` get a `webhookSecret`, and signed webhooks are delivered to any http or https
    /// address, a laptop's too.
    #[default]
    Docs,
    /// No secret, no deliveries; a `webhookUrl` that is not public https is a bare 500; reading payments is a 403.
    Beta,
}

/// The fields of `GET /pay/balance`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BalanceShape {
    /// `usdc_balance` and `promo_credit_balance`, as observed.
    #[default]
    Observed,
    /// `balance`, as documented: USDC and promo credits together.
    Documented,
    /// Names nobody knows: a client must find it unknown, never zero.
    Changed,
}

/// The status of a wrapped call that the wallet can not pay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ShortWallet {
    /// 402, documented for embedded users.
    #[serde(rename = "402")]
    PaymentRequired,
    /// 403 with a text about insufficient USDC, as observed.
    #[default]
    #[serde(rename = "403")]
    Forbidden,
}

/// What makes the desired count of a service follow its `minInstances`. The real behaviour is documented nowhere; each
/// of these makes another way of hibernating the first that works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scaling {
    /// A PATCH of `minInstances` to 0 is enough, at once.
    #[default]
    Immediate,
    /// A PATCH acts at once, and 0 instances take `minInstances` and `maxInstances` of 0.
    MaxZero,
    /// A PATCH acts with the next deployment that becomes healthy.
    NextDeployment,
    /// A PATCH is accepted and never stops the last instance: only deleting the service does.
    Ignored,
    /// A PATCH of `minInstances` to 0 is refused with 400; others act at once.
    RejectZero,
}

/// What a partial `runtime` in a PATCH does to the fields it leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimePatch {
    /// They stay.
    #[default]
    Merge,
    /// They fall back to the defaults of a creation: cpu 256, memory 512, 1 to 3 instances.
    Replace,
}

/// Whether `?include=runtime` shows fresh numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeCache {
    /// As documented: the numbers are kept for 30 s.
    #[default]
    On,
    /// Always fresh.
    Off,
}
