//! The statements of the upkeep of accounts, in the SQL that both stores understand.
//!
//! A new row is inserted as it is at its beginning; what happens to it afterwards, in the same delta or a later one, is
//! one update. A text that is taken away travels as the empty text, which no such text is.

use std::borrow::Cow;

use ledger_core::{AccountId, Timestamp};

use super::changes::{Change, CheckoutStepped, ContainerChange, NoticeStepped, Trouble, UpkeepChanges};
use super::rows::{CheckoutRow, LogRow, SolvencyRow};
use super::words::{
    checkout_text, log_kind_text, notice_kind_text, notice_state_text, operation_text, park_text, phase_text,
    solvency_text, strategy_text,
};
use crate::columns::RowsOf;
use crate::writes::{Write, insert, upsert};

/// The rows of the changes, in the order of the tables.
pub(crate) fn writes(changes: &UpkeepChanges) -> Vec<Write<'_>> {
    vec![
        log(&changes.log),
        new_checkouts(changes),
        changed_checkouts(changes),
        new_containers(changes),
        changed_containers(changes),
        new_notices(changes),
        changed_notices(changes),
        displaced_notices(changes),
        solvency(&changes.solvency),
    ]
}

type Container<'a> = (&'a AccountId, &'a ContainerChange);

fn new_containers(changes: &UpkeepChanges) -> Write<'_> {
    let set = changes.containers.iter().filter_map(|(id, change)| Some((id, change.set.as_ref()?)));
    let rows = RowsOf::new(set)
        .text("app", |(id, _)| id.app.as_str())
        .text("user_id", |(id, _)| id.user.as_str())
        .text("image", |(_, (settings, ..))| settings.image.as_str())
        .text("health_path", |(_, (settings, ..))| settings.health_path.as_str())
        .position(["set_partition", "set_sequence", "set_idx"], |(_, (_, at, _))| *at)
        .opt_time("set_at", |(_, (_, _, time))| Some(*time))
        .text("phase", |_| "absent")
        .int("steps", |_| 0)
        .opt_flag("ran", |_| Some(false))
        .opt_flag("deployed", |_| Some(false))
        .int("attempts", |_| 0)
        .opt_flag("gave_up", |_| Some(false));
    upsert("containers", rows.done(), "ON CONFLICT (app, user_id) DO NOTHING")
}

fn changed_containers(changes: &UpkeepChanges) -> Write<'_> {
    let settings = |(_, change): &Container<'_>| change.set.as_ref().map(|(_, at, _)| *at);
    let trouble = |(_, change): &Container<'_>| change.trouble;
    let rows = RowsOf::new(&changes.containers)
        .text("app", |(id, _)| id.app.as_str())
        .text("user_id", |(id, _)| id.user.as_str())
        .opt_text("image", |(_, change)| {
            change.set.as_ref().map(|(settings, ..)| settings.image.as_str().into())
        })
        .opt_text("health_path", |(_, change)| {
            change.set.as_ref().map(|(settings, ..)| settings.health_path.as_str().into())
        })
        .opt_position(["set_partition", "set_sequence", "set_idx"], settings)
        .opt_time("set_at", |(_, change)| change.set.as_ref().map(|(_, _, time)| *time))
        .opt_text("phase", |(_, change)| change.stepped.map(|(phase, ..)| phase_text(phase).into()))
        .opt_int("steps", |(_, change)| change.stepped.map(|(_, steps, _)| steps.into()))
        .opt_time("stepped_at", |(_, change)| change.stepped.map(|(_, _, time)| time))
        .opt_flag("ran", |(_, change)| change.ran)
        .opt_flag("deployed", |(_, change)| change.deployed)
        .opt_text("project", |(_, change)| text(&change.project))
        .opt_text("environment", |(_, change)| text(&change.environment))
        .opt_text("service", |(_, change)| text(&change.service))
        .opt_text("deployment", |(_, change)| text(&change.deployment))
        .opt_text("url", |(_, change)| text(&change.url))
        .opt_text("strategy", |(_, change)| word(change.strategy, strategy_text))
        .opt_text("operation", |(_, change)| word(change.operation, operation_text))
        .opt_text("worker", |(_, change)| holder(change).map(|(worker, _)| worker))
        .opt_time("until", |(_, change)| holder(change).and_then(|(_, until)| until))
        .opt_int("attempts", move |change| trouble(change).map(|trouble| trouble.attempts.into()))
        .opt_time("retry_at", move |change| trouble(change).and_then(|trouble: Trouble| trouble.retry_at))
        .opt_flag("gave_up", move |change| trouble(change).map(|trouble| trouble.gave_up))
        .opt_text("reason", |(_, change)| text(&change.reason));
    Write { sql: CHANGE_CONTAINER.into(), rows: rows.done() }
}

const CHANGE_CONTAINER: &str = "\
    UPDATE containers AS c SET image = COALESCE(d.image, c.image), \
    health_path = COALESCE(d.health_path, c.health_path), \
    set_partition = COALESCE(d.set_partition, c.set_partition), \
    set_sequence = COALESCE(d.set_sequence, c.set_sequence), set_idx = COALESCE(d.set_idx, c.set_idx), \
    set_at = COALESCE(d.set_at, c.set_at), phase = COALESCE(d.phase, c.phase), \
    steps = COALESCE(d.steps, c.steps), stepped_at = COALESCE(d.stepped_at, c.stepped_at), \
    ran = COALESCE(d.ran, c.ran), deployed = COALESCE(d.deployed, c.deployed), \
    project = NULLIF(COALESCE(d.project, c.project), ''), \
    environment = NULLIF(COALESCE(d.environment, c.environment), ''), \
    service = NULLIF(COALESCE(d.service, c.service), ''), \
    deployment = NULLIF(COALESCE(d.deployment, c.deployment), ''), \
    url = NULLIF(COALESCE(d.url, c.url), ''), strategy = NULLIF(COALESCE(d.strategy, c.strategy), ''), \
    operation = NULLIF(COALESCE(d.operation, c.operation), ''), \
    worker = NULLIF(COALESCE(d.worker, c.worker), ''), \
    until = CASE WHEN d.worker IS NULL THEN c.until ELSE d.until END, \
    attempts = COALESCE(d.attempts, c.attempts), \
    retry_at = CASE WHEN d.attempts IS NULL THEN c.retry_at ELSE d.retry_at END, \
    gave_up = COALESCE(d.gave_up, c.gave_up), reason = NULLIF(COALESCE(d.reason, c.reason), '') \
    FROM d WHERE c.app = d.app AND c.user_id = d.user_id";

fn new_notices(changes: &UpkeepChanges) -> Write<'_> {
    let due = changes.notices.iter().filter_map(|(key, change)| Some((key, change.due?)));
    let rows = RowsOf::new(due)
        .text("app", |((id, ..), _)| id.app.as_str())
        .text("user_id", |((id, ..), _)| id.user.as_str())
        .text("kind", |((_, kind, _), _)| notice_kind_text(*kind))
        .int("epoch", |((_, _, epoch), _)| (*epoch).into())
        .text("state", |_| "due")
        .int("steps", |_| 0)
        .int("attempts", |_| 0)
        .opt_time("due_at", |(_, (_, time))| Some(*time))
        .position(["due_partition", "due_sequence", "due_idx"], |(_, (at, _))| *at);
    upsert("notices", rows.done(), "ON CONFLICT (app, user_id, kind, epoch) DO NOTHING")
}

fn changed_notices(changes: &UpkeepChanges) -> Write<'_> {
    let changed = changes.notices.iter().filter_map(|(key, change)| Some((key, change.stepped.as_ref()?)));
    let rows = RowsOf::new(changed)
        .text("app", |((id, ..), _)| id.app.as_str())
        .text("user_id", |((id, ..), _)| id.user.as_str())
        .text("kind", |((_, kind, _), _)| notice_kind_text(*kind))
        .int("epoch", |((_, _, epoch), _)| (*epoch).into())
        .text("state", |(_, step)| notice_state_text(step.state))
        .int("steps", |(_, step)| step.steps.into())
        .int("attempts", |(_, step)| step.attempts)
        .opt_time("not_before", |(_, step)| step.not_before)
        .opt_text("worker", |(_, step)| step.worker.as_deref().map(Cow::Borrowed))
        .opt_text("message_id", |(_, step)| step.message_id.as_deref().map(Cow::Borrowed))
        .opt_text("reason", |(_, step): &(_, &NoticeStepped)| text(&step.reason))
        .opt_position(["mail_partition", "mail_sequence", "mail_idx"], |(_, step)| step.mail)
        .opt_time("stepped_at", |(_, step)| Some(step.at));
    Write { sql: CHANGE_NOTICE.into(), rows: rows.done() }
}

const CHANGE_NOTICE: &str = "\
    UPDATE notices AS n SET state = d.state, steps = d.steps, attempts = n.attempts + d.attempts, \
    not_before = d.not_before, worker = d.worker, message_id = COALESCE(d.message_id, n.message_id), \
    reason = NULLIF(COALESCE(d.reason, n.reason), ''), \
    mail_partition = COALESCE(d.mail_partition, n.mail_partition), \
    mail_sequence = COALESCE(d.mail_sequence, n.mail_sequence), mail_idx = COALESCE(d.mail_idx, n.mail_idx), \
    stepped_at = d.stepped_at \
    FROM d WHERE n.app = d.app AND n.user_id = d.user_id AND n.kind = d.kind AND n.epoch = d.epoch";

/// A newer mail of its kind takes the place of one that was never begun.
fn displaced_notices(changes: &UpkeepChanges) -> Write<'_> {
    let due = changes.notices.iter().filter(|(_, change)| change.due.is_some());
    let rows = RowsOf::new(due)
        .text("app", |((id, ..), _)| id.app.as_str())
        .text("user_id", |((id, ..), _)| id.user.as_str())
        .text("kind", |((_, kind, _), _)| notice_kind_text(*kind))
        .int("epoch", |((_, _, epoch), _)| (*epoch).into());
    let sql = "UPDATE notices AS n SET state = 'superseded' FROM d WHERE n.app = d.app \
               AND n.user_id = d.user_id AND n.kind = d.kind AND n.epoch < d.epoch AND n.state = 'due'";
    Write { sql: sql.into(), rows: rows.done() }
}

fn new_checkouts(changes: &UpkeepChanges) -> Write<'_> {
    let rows = RowsOf::new(changes.checkouts.values().filter_map(|change| change.opened.as_ref()))
        .text("app", |row: &&CheckoutRow| row.account.app.as_str())
        .text("user_id", |row| row.account.user.as_str())
        .text("session", |row| row.session.as_str())
        .int("amount", |row| row.amount.credits())
        .text("url", |row| row.url.as_str())
        .text("state", |row| checkout_text(row.state))
        .opt_text("key", |row| row.key.as_deref().map(Cow::Borrowed))
        .text("actor", |row| row.actor.as_str())
        .opt_time("expires_at", |row| Some(row.expires_at))
        .opt_time("opened_at", |row| Some(row.opened_at))
        .position(["opened_partition", "opened_sequence", "opened_idx"], |row| row.opened)
        .opt_time("stepped_at", |row| Some(row.stepped_at));
    insert("checkouts", rows.done())
}

fn changed_checkouts(changes: &UpkeepChanges) -> Write<'_> {
    let changed = changes.checkouts.iter().filter_map(|(key, change)| Some((key, change.stepped.as_ref()?)));
    let reason = |step: &CheckoutStepped| step.parked.map(|(reason, _)| reason);
    let rows = RowsOf::new(changed)
        .text("app", |((id, _), _)| id.app.as_str())
        .text("user_id", |((id, _), _)| id.user.as_str())
        .text("session", |((_, session), _)| session.as_str())
        .text("state", |(_, step)| checkout_text(step.state))
        .opt_text("reason", move |(_, step)| word(reason(step), park_text))
        .opt_int("paid", |(_, step)| step.parked.and_then(|(_, paid)| paid.map(|paid| paid.credits())))
        .opt_text("payment", |(_, step)| step.payment.as_deref().map(Cow::Borrowed))
        .text("actor", |(_, step)| step.actor.as_str())
        .opt_time("stepped_at", |(_, step)| Some(step.at));
    Write { sql: CHANGE_CHECKOUT.into(), rows: rows.done() }
}

const CHANGE_CHECKOUT: &str = "\
    UPDATE checkouts AS c SET state = d.state, reason = NULLIF(COALESCE(d.reason, c.reason), ''), \
    paid = CASE WHEN d.reason IS NULL THEN c.paid ELSE d.paid END, payment = COALESCE(d.payment, c.payment), \
    actor = d.actor, stepped_at = d.stepped_at \
    FROM d WHERE c.app = d.app AND c.user_id = d.user_id AND c.session = d.session";

fn solvency(rows: &[SolvencyRow]) -> Write<'_> {
    let positions = |row: &&SolvencyRow| {
        let list = serde_json::to_string(&row.positions).expect("numbers are always JSON");
        Some(Cow::Owned(list))
    };
    let rows = RowsOf::new(rows)
        .position(["partition", "sequence", "idx"], |row: &&SolvencyRow| row.position)
        .opt_time("recorded_at", |row| Some(row.recorded_at))
        .int("balances", |row| row.balances.credits())
        .opt_text("positions", positions)
        .opt_int("wallet", |row| row.wallet.map(|wallet| wallet.credits()))
        .opt_int("promo", |row| row.promo.map(|promo| promo.credits()))
        .text("wallet_level", |row| solvency_text(row.wallet_level))
        .opt_int("build_credits", |row| row.build_credits.map(|credits| credits.credits()))
        .opt_int("build_monthly", |row| row.build_monthly.map(|monthly| monthly.credits()))
        .text("build_level", |row| solvency_text(row.build_level))
        .text("worker", |row| row.worker.as_str());
    insert("solvency", rows.done())
}

fn log(rows: &[LogRow]) -> Write<'_> {
    let rows = RowsOf::new(rows)
        .position(["partition", "sequence", "idx"], |row: &&LogRow| row.position)
        .opt_time("recorded_at", |row| Some(row.recorded_at))
        .opt_text("app", |row| row.account.as_ref().map(|id| id.app.as_str().into()))
        .opt_text("user_id", |row| row.account.as_ref().map(|id| id.user.as_str().into()))
        .text("kind", |row| log_kind_text(row.kind))
        .opt_text("step", |row| row.step.as_deref().map(Cow::Borrowed))
        .opt_text("subject", |row| row.subject.as_deref().map(Cow::Borrowed))
        .opt_int("amount", |row| row.amount.map(|amount| amount.credits()))
        .opt_int("balance", |row| row.balance.map(|balance| balance.credits()))
        .opt_text("text", |row| row.text.as_deref().map(Cow::Borrowed))
        .opt_text("actor", |row| row.actor.as_deref().map(Cow::Borrowed));
    insert("agent_log", rows.done())
}

/// What is taken away is the empty text.
fn text(change: &Change<String>) -> Option<Cow<'_, str>> {
    change.as_ref().map(|text| text.as_deref().unwrap_or_default().into())
}

fn word<'a, T>(change: Change<T>, of: fn(T) -> &'static str) -> Option<Cow<'a, str>> {
    change.map(|value| value.map_or("", of).into())
}

fn holder(change: &ContainerChange) -> Option<(Cow<'_, str>, Option<Timestamp>)> {
    let holder = change.holder.as_ref()?;
    Some(match holder {
        Some((worker, until)) => (worker.as_str().into(), Some(*until)),
        None => ("".into(), None),
    })
}
