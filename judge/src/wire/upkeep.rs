//! The events of the upkeep of accounts: what people ask of containers, and what workers tell of containers, mails,
//! checkout sessions and solvency.

use serde::Deserialize;

use super::values::{Key, Sealed};

numbers! {
    /// What a worker tells of a container.
    Step {
        0 = Claimed: "claimed", 1 = ProjectCreated: "project_created", 2 = EnvironmentCreated: "environment_created",
        3 = ServiceCreated: "service_created", 4 = VariablesSet: "variables_set", 5 = ScaledUp: "scaled_up",
        6 = ScaledDown: "scaled_down", 7 = DeploymentStarted: "deployment_started", 8 = Running: "running",
        9 = Asleep: "asleep", 10 = ServiceDeleted: "service_deleted", 11 = ProjectDeleted: "project_deleted",
        12 = Failed: "failed"
    }
}
numbers! {
    /// How a container stands.
    Phase {
        0 = Absent: "absent", 1 = Creating: "creating", 2 = Starting: "starting", 3 = Running: "running",
        4 = Stopping: "stopping", 5 = Asleep: "asleep"
    }
}
numbers! {
    /// What a worker does about a container.
    Operation { 1 = Provision: "provision", 2 = Hibernate: "hibernate", 3 = Restore: "restore", 4 = Deprovision: "deprovision" }
}
numbers! {
    /// How a container is put to sleep.
    Strategy { 1 = MinZero: "min_zero", 2 = MinMaxZero: "min_max_zero", 3 = Redeploy: "redeploy", 4 = Delete: "delete" }
}
numbers! {
    /// What a mail is about.
    Mail { 1 = LowCredit: "low_credit", 2 = Paused: "paused", 3 = Restored: "restored", 4 = PlanSuggestion: "plan_suggestion" }
}
numbers! {
    /// What a worker tells of a mail.
    NoticeStep { 0 = Claimed: "claimed", 1 = Sent: "sent", 2 = Failed: "failed", 3 = Abandoned: "abandoned", 4 = Superseded: "superseded" }
}
numbers! {
    /// What happens to a checkout session.
    CheckoutStep { 0 = Opened: "opened", 1 = Paid: "paid", 2 = Parked: "parked", 3 = Dismissed: "dismissed" }
}
numbers! {
    /// Why a session waits for a person.
    Park {
        1 = Expired: "expired", 2 = Cancelled: "cancelled", 3 = AmountDiffers: "amount_differs", 4 = Refused: "refused",
        5 = Late: "late"
    }
}
numbers! {
    /// What there is, against what it is needed for.
    Solvency { 0 = Ok: "ok", 1 = Warn: "warn", 2 = Critical: "critical", 3 = Unknown: "unknown" }
}

map! {
    /// What a container is to be.
    ContainerSet<'a> {
        "a" => account: usize,
        "m" => image: &'a str,
        "h" => health_path: &'a str,
        "w" => actor: usize,
        "k" (borrow) => key: Option<Key<'a>>,
        "x" (borrow) => variables: Option<Sealed<'a>>,
    }
}
map! {
    /// A sleep by a person's hand.
    Paused<'a> {
        "a" => account: usize,
        "b" => balance: i64,
        "w" => actor: usize,
        "k" (borrow) => key: Option<Key<'a>>,
    }
}
map! {
    /// The end of a sleep, by a person's hand.
    Resumed<'a> {
        "a" => account: usize,
        "b" => balance: i64,
        "w" => actor: usize,
        "k" (borrow) => key: Option<Key<'a>>,
        "f" (default) => forced: bool,
    }
}
map! {
    /// A step of a container. Which fields a step has is asked by [`LifecycleStepped::told`].
    LifecycleStepped<'a> {
        "a" => account: usize,
        "n" => number: u32,
        "s" => step: Step,
        "p" => phase: Phase,
        "w" => worker: usize,
        "o" => operation: Option<Operation>,
        "u" => until: Option<i64>,
        "i" => id: Option<&'a str>,
        "l" => url: Option<&'a str>,
        "g" => strategy: Option<Strategy>,
        "r" => reason: Option<&'a str>,
        "d" (default) => gave_up: bool,
        "t" (default) => attempts: u16,
    }
}
map! {
    /// A step of a mail. Which fields a step has is asked by [`NoticeStepped::told`].
    NoticeStepped<'a> {
        "a" => account: usize,
        "c" => kind: Mail,
        "j" => epoch: u32,
        "n" => number: u32,
        "s" => step: NoticeStep,
        "w" => worker: usize,
        "u" => until: Option<i64>,
        "i" => message_id: Option<&'a str>,
        "r" => reason: Option<&'a str>,
        "x" (borrow) => mail: Option<Sealed<'a>>,
    }
}
map! {
    /// A step of a checkout session. Which fields a step has is asked by [`CheckoutStepped::told`].
    CheckoutStepped<'a> {
        "a" => account: usize,
        "i" => session: &'a str,
        "s" => step: CheckoutStep,
        "w" => actor: usize,
        "c" => amount: Option<i64>,
        "l" => text: Option<&'a str>,
        "u" => expires_at: Option<i64>,
        "k" (borrow) => key: Option<Key<'a>>,
        "x" (borrow) => secret: Option<Sealed<'a>>,
        "r" => reason: Option<Park>,
    }
}
map! {
    /// What users hold, against what there is for them.
    SolvencyChecked {
        "b" => balances: i64,
        "q" => positions: Vec<u64>,
        "v" => wallet_level: Solvency,
        "y" => build_level: Solvency,
        "w" => worker: usize,
        "c" => wallet: Option<i64>,
        "p" => promo: Option<i64>,
        "d" => build_credits: Option<i64>,
        "m" => build_monthly: Option<i64>,
    }
}

/// A step of a container, with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "schemas/wire.md explains each step and field")]
pub enum LifecycleTold<'a> {
    Claimed { operation: Operation, until: i64, attempts: u16 },
    ProjectCreated { id: &'a str },
    EnvironmentCreated { id: &'a str },
    ServiceCreated { id: &'a str, url: &'a str },
    VariablesSet,
    ScaledUp,
    ScaledDown { strategy: Strategy },
    DeploymentStarted { id: &'a str },
    Running,
    Asleep,
    ServiceDeleted,
    ProjectDeleted,
    Failed { reason: &'a str, retry_at: i64, attempts: u16, gave_up: bool },
}

impl<'a> LifecycleStepped<'a> {
    /// The step as it is told. None: something is missing that belongs to it.
    pub fn told(&self) -> Option<LifecycleTold<'a>> {
        let attempts = self.attempts;
        Some(match self.step {
            Step::Claimed => {
                LifecycleTold::Claimed { operation: self.operation?, until: self.until?, attempts }
            }
            Step::ProjectCreated => LifecycleTold::ProjectCreated { id: self.id? },
            Step::EnvironmentCreated => LifecycleTold::EnvironmentCreated { id: self.id? },
            Step::ServiceCreated => LifecycleTold::ServiceCreated { id: self.id?, url: self.url? },
            Step::VariablesSet => LifecycleTold::VariablesSet,
            Step::ScaledUp => LifecycleTold::ScaledUp,
            Step::ScaledDown => LifecycleTold::ScaledDown { strategy: self.strategy? },
            Step::DeploymentStarted => LifecycleTold::DeploymentStarted { id: self.id? },
            Step::Running => LifecycleTold::Running,
            Step::Asleep => LifecycleTold::Asleep,
            Step::ServiceDeleted => LifecycleTold::ServiceDeleted,
            Step::ProjectDeleted => LifecycleTold::ProjectDeleted,
            Step::Failed => {
                let (reason, retry_at, gave_up) = (self.reason?, self.until?, self.gave_up);
                LifecycleTold::Failed { reason, retry_at, attempts, gave_up }
            }
        })
    }
}

/// A step of a mail, with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "schemas/wire.md explains each step and field")]
pub enum NoticeTold<'a> {
    Claimed { until: i64, has_mail: bool },
    Sent { message_id: &'a str },
    Failed { reason: &'a str, retry_at: i64 },
    Abandoned { reason: &'a str },
    Superseded,
}

impl<'a> NoticeStepped<'a> {
    /// The step as it is told. None: something is missing that belongs to it.
    pub fn told(&self) -> Option<NoticeTold<'a>> {
        Some(match self.step {
            NoticeStep::Claimed => NoticeTold::Claimed { until: self.until?, has_mail: self.mail.is_some() },
            NoticeStep::Sent => NoticeTold::Sent { message_id: self.message_id? },
            NoticeStep::Failed => NoticeTold::Failed { reason: self.reason?, retry_at: self.until? },
            NoticeStep::Abandoned => NoticeTold::Abandoned { reason: self.reason? },
            NoticeStep::Superseded => NoticeTold::Superseded,
        })
    }
}

/// A step of a checkout session, with what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "schemas/wire.md explains each step and field")]
pub enum CheckoutTold<'a> {
    Opened { amount: i64, url: &'a str, expires_at: i64, key: Option<Key<'a>> },
    Paid { transaction: Option<&'a str> },
    Parked { reason: Park, paid: Option<i64> },
    Dismissed,
}

impl<'a> CheckoutStepped<'a> {
    /// The step as it is told. None: something is missing that belongs to it.
    pub fn told(&self) -> Option<CheckoutTold<'a>> {
        Some(match self.step {
            CheckoutStep::Opened => {
                let (amount, url, expires_at) = (self.amount?, self.text?, self.expires_at?);
                CheckoutTold::Opened { amount, url, expires_at, key: self.key }
            }
            CheckoutStep::Paid => CheckoutTold::Paid { transaction: self.text },
            CheckoutStep::Parked => CheckoutTold::Parked { reason: self.reason?, paid: self.amount },
            CheckoutStep::Dismissed => CheckoutTold::Dismissed,
        })
    }
}
