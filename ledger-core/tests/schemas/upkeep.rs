//! The samples of what people and workers tell of the upkeep of an account.

use ledger_core::command::{
    CheckoutOutcome, ClaimLifecycle, Command, Hibernate, OpenCheckout, RecordNotice, RecordStep, Restore,
    SetContainer, SettleCheckout,
};
use ledger_core::event::{ContainerSettings, Event, Solvency, SolvencyChecked};
use ledger_core::policy::Policy;
use ledger_core::upkeep::{NoticeKind, NoticeStep, ParkReason, Step, Strategy};
use ledger_core::{LongText, SessionId, Timestamp, Usdc};

use super::{Life, START, key, label, open, plain, sealed, user, uuid};

fn text(text: &str) -> LongText {
    LongText::new(text).unwrap()
}

pub(super) fn upkeep(life: &mut Life) {
    life.happens(&super::policy("demo", 3, Policy::default()));
    life.asks(&open("cleo", None, "5", None));
    for (key, variables) in [(Some(uuid("07")), sealed()), (None, None)] {
        let (image, health_path) = (text("ghcr.io/example/agent:1.2"), text("/health"));
        let settings = ContainerSettings { image, health_path, variables };
        let actor = label("ops");
        life.asks(&Command::SetContainer(SetContainer { account: user("cleo"), key, settings, actor }));
    }
    life.commits("container_set");
    steps(life);
    for key in [Some(uuid("08")), None] {
        life.asks(&Command::Hibernate(Hibernate {
            account: user("cleo"),
            key: key.clone(),
            actor: label("ops"),
        }));
        life.asks(&Command::Restore(Restore {
            account: user("cleo"),
            key: key.map(|_| uuid("09")),
            force: false,
            actor: label("ops"),
        }));
    }
    life.commits("paused");
    life.asks(&open("dora", None, "0", None));
    let (account, actor) = (user("dora"), label("ops"));
    life.asks(&Command::Restore(Restore { account, key: None, force: true, actor }));
    life.commits("resumed");
    mails(life);
    sessions(life);
    solvency(life);
}

fn step(life: &mut Life, step: Step) {
    let account = user("cleo");
    let after = life.ledger.account(&account).unwrap().container().unwrap().steps;
    life.asks(&Command::RecordStep(RecordStep { account, worker: label("worker-1"), after, step }));
}

fn steps(life: &mut Life) {
    let (account, worker, hold) = (user("cleo"), label("worker-1"), 60_000_000);
    life.asks(&Command::ClaimLifecycle(ClaimLifecycle { account, worker, hold }));
    let id = |id: &str| label(id);
    for told in [
        Step::ProjectCreated { id: id("proj_1") },
        Step::EnvironmentCreated { id: id("env_1") },
        Step::ServiceCreated { id: id("svc_1"), url: text("https://svc-1.example.org") },
        Step::VariablesSet,
        Step::DeploymentStarted { id: id("deploy_1") },
        Step::Failed { reason: text("stuck"), attempts: 0, retry_at: Timestamp(START), gave_up: false },
        Step::Failed { reason: text("stuck again"), attempts: 0, retry_at: Timestamp(START), gave_up: true },
        Step::Running,
        Step::ScaledDown { strategy: Strategy::MinZero },
        Step::Asleep,
        Step::ScaledUp,
        Step::ServiceDeleted,
        Step::ProjectDeleted,
    ] {
        step(life, told);
    }
    life.commits("lifecycle_stepped");
}

fn mails(life: &mut Life) {
    let worker = || label("worker-1");
    for (amount, epoch) in [("4.1", 1), ("0.9", 1)] {
        life.asks(&super::debit("cleo", super::amount(amount), |_| ()));
        let kind = if amount == "4.1" { NoticeKind::LowCredit } else { NoticeKind::Paused };
        let mail = plain(r#"{"subject":"Low credit"}"#).filter(|_| amount == "4.1");
        let until = Timestamp(i64::MAX);
        let mut after = 0;
        let mut tell = |life: &mut Life, step| {
            let (account, worker) = (user("cleo"), worker());
            let cooldown = 0;
            life.asks(&Command::RecordNotice(RecordNotice {
                account,
                worker,
                kind,
                epoch,
                after,
                cooldown,
                step,
            }));
            after += 1;
        };
        tell(life, NoticeStep::Claimed { until, mail });
        tell(life, NoticeStep::Failed { reason: text("no answer"), retry_at: Timestamp(START) });
        tell(life, NoticeStep::Claimed { until, mail: None });
        if amount == "4.1" {
            tell(life, NoticeStep::Sent { message_id: text("<1@example.org>") });
        } else {
            tell(life, NoticeStep::Abandoned { reason: text("address refused") });
        }
    }
    life.commits("notice_stepped");
}

fn sessions(life: &mut Life) {
    let (account, actor) = (user("cleo"), label("ops"));
    let session = |name: &str| SessionId::new(name).unwrap();
    for (name, key, secret) in
        [("s-1", Some(key("top up")), sealed()), ("s-2", None, None), ("s-3", None, None)]
    {
        life.asks(&Command::OpenCheckout(OpenCheckout {
            account: account.clone(),
            session: session(name),
            amount: Usdc::parse("5").unwrap(),
            url: text("https://checkout.example.org/s-1"),
            expires_at: Timestamp(START + 1_800_000_000),
            key,
            secret,
            actor: actor.clone(),
        }));
    }
    let five = Usdc::parse("5").unwrap();
    for (name, outcome) in [
        ("s-1", CheckoutOutcome::Paid { amount: Some(five), transaction: Some(text("0x77")) }),
        ("s-2", CheckoutOutcome::Paid { amount: Usdc::parse("4").ok(), transaction: None }),
        ("s-3", CheckoutOutcome::Ended(ParkReason::Expired)),
        ("s-3", CheckoutOutcome::Dismissed),
    ] {
        let (account, session, actor) = (account.clone(), session(name), actor.clone());
        life.asks(&Command::SettleCheckout(SettleCheckout { account, session, outcome, actor }));
    }
    life.commits("checkout_stepped");
}

fn solvency(life: &mut Life) {
    let some = |text| Some(Usdc::parse(text).unwrap());
    let known = SolvencyChecked {
        balances: Usdc::parse("6.5").unwrap(),
        positions: vec![18, 3],
        wallet: some("5"),
        promo: some("1.4"),
        wallet_level: Solvency::Critical,
        build_credits: some("0.5"),
        build_monthly: some("0.25"),
        build_level: Solvency::Ok,
        worker: label("worker-1"),
    };
    let unknown = SolvencyChecked {
        wallet: None,
        promo: None,
        wallet_level: Solvency::Unknown,
        build_credits: None,
        build_monthly: None,
        build_level: Solvency::Unknown,
        ..known.clone()
    };
    life.happens(&Event::SolvencyChecked(known));
    life.happens(&Event::SolvencyChecked(unknown));
    life.commits("solvency_checked");
}
