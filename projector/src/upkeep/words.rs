//! How the words of upkeep stand in the columns of the views.

use ledger_core::event::Solvency;
use ledger_core::upkeep::{
    CheckoutStep, NoticeKind, NoticeState, NoticeStep, Operation, ParkReason, Phase, Step, Strategy,
};

use super::rows::{CheckoutState, LogKind};
use crate::words::words;

words!(phase_text, phase_of, Phase {
    Absent = "absent",
    Creating = "creating",
    Starting = "starting",
    Running = "running",
    Stopping = "stopping",
    Asleep = "asleep",
});
words!(operation_text, operation_of, Operation {
    Provision = "provision",
    Hibernate = "hibernate",
    Restore = "restore",
    Deprovision = "deprovision",
});
words!(strategy_text, strategy_of, Strategy {
    MinZero = "min_zero",
    MinMaxZero = "min_max_zero",
    Redeploy = "redeploy",
    Delete = "delete",
});
words!(notice_kind_text, notice_kind_of, NoticeKind {
    LowCredit = "low_credit",
    Paused = "paused",
    Restored = "restored",
    PlanSuggestion = "plan_suggestion",
});
words!(notice_state_text, notice_state_of, NoticeState {
    Due = "due",
    Sending = "sending",
    Retrying = "retrying",
    Sent = "sent",
    Abandoned = "abandoned",
    Superseded = "superseded",
});
words!(park_text, park_of, ParkReason {
    Expired = "expired",
    Cancelled = "cancelled",
    AmountDiffers = "amount_differs",
    Refused = "refused",
    Late = "late",
});
words!(solvency_text, solvency_of, Solvency {
    Ok = "ok",
    Warn = "warn",
    Critical = "critical",
    Unknown = "unknown",
});
words!(checkout_text, checkout_of, CheckoutState {
    Pending = "pending",
    Paid = "paid",
    Parked = "parked",
    Dismissed = "dismissed",
});
words!(log_kind_text, log_kind_of, LogKind {
    Opened = "opened",
    Granted = "granted",
    Deposited = "deposited",
    Crossed = "crossed",
    Closed = "closed",
    ContainerSet = "container_set",
    Paused = "paused",
    Resumed = "resumed",
    Lifecycle = "lifecycle",
    Notice = "notice",
    Checkout = "checkout",
    Solvency = "solvency",
});

pub(crate) fn step_text(step: &Step) -> &'static str {
    match step {
        Step::Claimed { .. } => "claimed",
        Step::ProjectCreated { .. } => "project_created",
        Step::EnvironmentCreated { .. } => "environment_created",
        Step::ServiceCreated { .. } => "service_created",
        Step::VariablesSet => "variables_set",
        Step::ScaledUp => "scaled_up",
        Step::ScaledDown { .. } => "scaled_down",
        Step::DeploymentStarted { .. } => "deployment_started",
        Step::Running => "running",
        Step::Asleep => "asleep",
        Step::ServiceDeleted => "service_deleted",
        Step::ProjectDeleted => "project_deleted",
        Step::Failed { .. } => "failed",
    }
}

pub(crate) fn notice_step_text(step: &NoticeStep) -> &'static str {
    match step {
        NoticeStep::Claimed { .. } => "claimed",
        NoticeStep::Sent { .. } => "sent",
        NoticeStep::Failed { .. } => "failed",
        NoticeStep::Abandoned { .. } => "abandoned",
        NoticeStep::Superseded => "superseded",
    }
}

pub(crate) fn checkout_step_text(step: &CheckoutStep) -> &'static str {
    match step {
        CheckoutStep::Opened { .. } => "opened",
        CheckoutStep::Paid { .. } => "paid",
        CheckoutStep::Parked { .. } => "parked",
        CheckoutStep::Dismissed => "dismissed",
    }
}
