//! Signals as sentences: what the agent noticed, and what it did about it.

use ledger_core::Usdc;
use projector::upkeep::{LogKind, LogRow};

use crate::checkouts::PROVIDER;

/// One row as a sentence without the account and the time.
pub fn sentence(row: &LogRow) -> String {
    let amount = shown(row.amount);
    let balance = shown(row.balance);
    let (subject, text) = (row.subject.as_deref().unwrap_or(""), row.text.as_deref().unwrap_or(""));
    match row.kind {
        LogKind::Opened => format!("account opened with {balance}"),
        LogKind::Granted => format!("{amount} given, balance {balance}"),
        LogKind::Deposited => format!("{amount} paid in, balance {balance}"),
        LogKind::Crossed if subject == "low" => format!("low credit: {balance} of {amount} left"),
        LogKind::Crossed => format!("balance depleted: {balance} of {amount} left"),
        LogKind::Closed => format!("account closed with {balance}"),
        LogKind::ContainerSet => format!("container is to run {text}"),
        LogKind::Paused => "put to sleep by hand".to_owned(),
        LogKind::Resumed if subject == "forced" => "woken by hand, without credit".to_owned(),
        LogKind::Resumed => "woken by hand".to_owned(),
        LogKind::Lifecycle => lifecycle(row.step.as_deref().unwrap_or(""), subject, text),
        LogKind::Notice => notice(row.step.as_deref().unwrap_or(""), subject, text),
        LogKind::Checkout => checkout(row, &amount, subject, text),
        LogKind::Solvency => {
            format!(
                "solvency {subject}: users hold {amount}, the wallet {balance}; credits for containers {text}"
            )
        }
    }
}

fn shown(amount: Option<Usdc>) -> String {
    amount.map_or_else(|| "an unknown amount".to_owned(), |amount| format!("{amount} USDC"))
}

fn lifecycle(step: &str, subject: &str, text: &str) -> String {
    match step {
        "claimed" => match subject {
            "provision" => "making the container …".to_owned(),
            "hibernate" => "hibernating …".to_owned(),
            "restore" => "waking the container …".to_owned(),
            _ => "taking the container away …".to_owned(),
        },
        "project_created" => format!("project {subject} made"),
        "environment_created" => format!("environment {subject} made"),
        "service_created" => format!("service {subject} made, will answer at {text}"),
        "variables_set" => "variables set".to_owned(),
        "scaled_up" => "told to run".to_owned(),
        "scaled_down" => format!("told to sleep ({})", subject.replace('_', " ")),
        "deployment_started" => format!("deployment {subject} started"),
        "running" => "container runs and answers".to_owned(),
        "asleep" => "container sleeps".to_owned(),
        "service_deleted" => "service taken away".to_owned(),
        "project_deleted" => "project taken away".to_owned(),
        _ => format!("it failed, to be tried again: {text}"),
    }
}

fn notice(step: &str, subject: &str, text: &str) -> String {
    let kind = subject.replace('_', " ");
    match step {
        "claimed" => format!("writing the mail \"{kind}\" …"),
        "sent" => format!("mail \"{kind}\" sent"),
        "failed" => format!("mail \"{kind}\" failed, to be tried again: {text}"),
        "abandoned" => format!("mail \"{kind}\" will not be sent: {text}"),
        _ => format!("mail \"{kind}\" not needed any more"),
    }
}

fn checkout(row: &LogRow, amount: &str, session: &str, text: &str) -> String {
    let actor = row.actor.as_deref().unwrap_or("");
    match row.step.as_deref().unwrap_or("") {
        "opened" => format!("checkout of {amount} opened ({session})"),
        "paid" if actor == PROVIDER => format!("checkout {session} was paid"),
        "paid" => format!("checkout {session} was credited by {actor}"),
        "parked" => match row.amount {
            Some(_) => {
                format!("checkout {session} waits for a person: {}, {amount} paid", text.replace('_', " "))
            }
            None => format!("checkout {session} waits for a person: {}", text.replace('_', " ")),
        },
        _ => format!("checkout {session} dismissed by {actor}"),
    }
}
