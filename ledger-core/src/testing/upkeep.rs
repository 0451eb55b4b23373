//! Short ways to say what people and workers ask about the upkeep of an account, and to tell what comes of it.

use super::{START, anna, label, usdc, user};
use crate::command::{
    CheckoutOutcome, ClaimLifecycle, Command, Hibernate, OpenCheckout, RecordNotice, RecordStep, Restore,
    SetContainer, SettleCheckout,
};
use crate::event::ContainerSettings;
use crate::ids::{LongText, SessionId};
use crate::sealed::Sealed;
use crate::time::{MINUTE, Timestamp};
use crate::upkeep::{CheckoutStep, NoticeKind, NoticeStep, ParkReason, Step, Strategy};

pub(crate) fn text(text: &str) -> LongText {
    LongText::new(text).unwrap()
}

/// So many minutes after the start.
pub(crate) fn at(minutes: i64) -> Timestamp {
    START.plus(minutes * MINUTE)
}

pub(crate) fn set(image: &str) -> Command {
    let settings = ContainerSettings { image: text(image), health_path: text("/health"), variables: None };
    Command::SetContainer(SetContainer { account: anna(), key: None, settings, actor: label("test") })
}

pub(crate) fn hibernate() -> Command {
    Command::Hibernate(Hibernate { account: anna(), key: None, actor: label("test") })
}

pub(crate) fn restore() -> Command {
    Command::Restore(Restore { account: anna(), key: None, force: false, actor: label("test") })
}

pub(crate) fn force() -> Command {
    Command::Restore(Restore { account: anna(), key: None, force: true, actor: label("test") })
}

/// For a minute.
pub(crate) fn claim(worker: &str) -> Command {
    claim_for(worker, MINUTE)
}

pub(crate) fn claim_for(worker: &str, hold: i64) -> Command {
    Command::ClaimLifecycle(ClaimLifecycle { account: anna(), worker: label(worker), hold })
}

/// A worker that knows of so many steps tells the next.
pub(crate) fn tells(worker: &str, after: u32, step: Step) -> Command {
    Command::RecordStep(RecordStep { account: anna(), worker: label(worker), after, step })
}

/// Every step of a container but claims and failures.
pub(crate) fn all_steps() -> Vec<Step> {
    let id = label("id");
    vec![
        Step::ProjectCreated { id: id.clone() },
        Step::EnvironmentCreated { id: id.clone() },
        Step::ServiceCreated { id: id.clone(), url: text("https://svc.example.org") },
        Step::VariablesSet,
        Step::DeploymentStarted { id },
        Step::Running,
        Step::ScaledDown { strategy: Strategy::MinZero },
        Step::Asleep,
        Step::ScaledUp,
        Step::ServiceDeleted,
        Step::ProjectDeleted,
    ]
}

/// It did not succeed, and is not tried again before that minute.
pub(crate) fn failed(minute: i64) -> Step {
    Step::Failed { reason: text("stuck"), attempts: 0, retry_at: at(minute), gave_up: false }
}

/// A worker that knows of so many steps of a mail tells the next.
pub(crate) fn mail(worker: &str, kind: NoticeKind, epoch: u32, after: u32, step: NoticeStep) -> Command {
    let (account, worker) = (anna(), label(worker));
    Command::RecordNotice(RecordNotice { account, worker, kind, epoch, after, cooldown: 0, step })
}

/// The same, with so many minutes between two mails of a kind.
pub(crate) fn cooled(minutes: i64, mut command: Command) -> Command {
    if let Command::RecordNotice(command) = &mut command {
        command.cooldown = minutes * MINUTE;
    }
    command
}

/// A claim until that minute, with a text.
pub(crate) fn sends(until: i64) -> NoticeStep {
    NoticeStep::Claimed { until: at(until), mail: Some(Sealed::plain("{}")) }
}

pub(crate) fn sent() -> NoticeStep {
    NoticeStep::Sent { message_id: text("<1@example.org>") }
}

/// A session that asks for so much.
pub(crate) fn session(name: &str, amount: &str) -> Command {
    session_of("anna", name, amount)
}

pub(crate) fn session_of(who: &str, name: &str, amount: &str) -> Command {
    Command::OpenCheckout(OpenCheckout {
        account: user(who),
        session: SessionId::new(name).unwrap(),
        amount: usdc(amount),
        url: text("https://pay.example.org"),
        expires_at: at(30),
        key: None,
        secret: None,
        actor: label("test"),
    })
}

pub(crate) fn settles(name: &str, outcome: CheckoutOutcome) -> Command {
    settles_of("anna", name, outcome)
}

pub(crate) fn settles_of(who: &str, name: &str, outcome: CheckoutOutcome) -> Command {
    let (session, actor) = (SessionId::new(name).unwrap(), label("provider"));
    Command::SettleCheckout(SettleCheckout { account: user(who), session, outcome, actor })
}

pub(crate) fn paid(amount: &str) -> CheckoutOutcome {
    CheckoutOutcome::Paid { amount: Some(usdc(amount)), transaction: None }
}

pub(crate) fn credited(amount: &str) -> CheckoutOutcome {
    CheckoutOutcome::Credited(usdc(amount))
}

pub(crate) const EXPIRED: CheckoutOutcome = CheckoutOutcome::Ended(ParkReason::Expired);

pub(super) fn tell_step(step: &Step) -> String {
    match step {
        Step::Claimed { operation, attempts, .. } => {
            format!("claimed for {operation:?} after {attempts} failures")
        }
        Step::Failed { attempts, .. } => format!("failed {attempts} times"),
        other => name_of(other),
    }
}

pub(super) fn tell_mail(step: &NoticeStep) -> String {
    match step {
        NoticeStep::Claimed { mail: Some(_), .. } => "claimed with its text".to_owned(),
        other => name_of(other),
    }
}

pub(super) fn tell_session(step: &CheckoutStep) -> String {
    match step {
        CheckoutStep::Parked { reason, paid: None } => format!("parked: {reason:?}"),
        CheckoutStep::Parked { reason, paid: Some(paid) } => format!("parked: {reason:?} of {paid}"),
        other => name_of(other),
    }
}

/// The name of a step, without what stands in it.
fn name_of(step: &impl std::fmt::Debug) -> String {
    let text = format!("{step:?}");
    text.split([' ', '{']).next().unwrap_or_default().to_owned()
}
