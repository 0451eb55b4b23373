//! The rows of the upkeep as lines, of all partitions, in the order of their tables.

use super::Views;
use super::upkeep::{Checkout, Container, Notice};
use crate::line::Line;
use crate::wire::{Mail, Operation, Park, Strategy};

/// The rows of `containers`, of all partitions, in order.
pub fn containers(partitions: &[Views]) -> impl Iterator<Item = String> {
    sorted(partitions, |views, names| {
        let row = |(account, row): (&u32, _)| {
            let name = names(*account);
            (name, container_line(name, row))
        };
        views.upkeep.containers.iter().map(row).collect()
    })
}

/// The rows of `notices`, of all partitions, in order.
pub fn notices(partitions: &[Views]) -> impl Iterator<Item = String> {
    sorted(partitions, |views, names| {
        let row = |(&(account, kind, epoch), row): (&(u32, Mail, u32), _)| {
            let name = names(account);
            ((name, kind.word(), epoch), notice_line(name, kind, epoch, row))
        };
        views.upkeep.notices.iter().map(row).collect()
    })
}

/// The rows of `checkouts`, of all partitions, in order.
pub fn checkouts(partitions: &[Views]) -> impl Iterator<Item = String> {
    sorted(partitions, |views, names| {
        let row = |((account, session), row): (&(u32, Box<str>), _)| {
            let name = names(*account);
            ((name, session.clone()), checkout_line(name, session, row))
        };
        views.upkeep.checkouts.iter().map(row).collect()
    })
}

/// The rows of `solvency`, of all partitions, in order.
pub fn solvency(partitions: &[Views]) -> impl Iterator<Item = String> {
    partitions.iter().flat_map(|views| views.upkeep.solvency.iter().cloned())
}

/// App and user of an account.
type Name<'a> = (&'a str, &'a str);

/// Lines with what they are ordered by, of each partition, as lines in that order.
fn sorted<'a, K: Ord>(
    partitions: &'a [Views],
    of: impl Fn(&'a Views, &dyn Fn(u32) -> Name<'a>) -> Vec<(K, String)>,
) -> std::vec::IntoIter<String> {
    let mut rows = Vec::new();
    for views in partitions {
        let mut names = vec![("", ""); views.fold.names().count()];
        views.fold.names().for_each(|(name, number)| names[number as usize] = name);
        rows.extend(of(views, &|account| names[account as usize]));
    }
    rows.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    rows.into_iter().map(|(_, line)| line).collect::<Vec<_>>().into_iter()
}

fn container_line((app, user): Name<'_>, row: &Container) -> String {
    Line::default()
        .text(app)
        .text(user)
        .text(&row.image)
        .text(&row.health_path)
        .place(row.set)
        .time(row.set_at)
        .text(row.phase.word())
        .number(row.steps)
        .flag(row.ran)
        .flag(row.deployed)
        .opt_text(row.project.as_deref())
        .opt_text(row.environment.as_deref())
        .opt_text(row.service.as_deref())
        .opt_text(row.deployment.as_deref())
        .opt_text(row.url.as_deref())
        .opt_text(row.strategy.map(Strategy::word))
        .opt_text(row.doing.operation.map(Operation::word))
        .opt_text(row.worker.as_deref())
        .opt_time(row.until)
        .number(row.doing.attempts)
        .opt_time(row.doing.retry_at)
        .flag(row.doing.gave_up)
        .opt_text(row.doing.reason.as_deref())
        .opt_time(row.stepped_at)
        .done()
}

fn notice_line((app, user): Name<'_>, kind: Mail, epoch: u32, row: &Notice) -> String {
    Line::default()
        .text(app)
        .text(user)
        .text(kind.word())
        .number(epoch)
        .text(row.state)
        .number(row.steps)
        .number(row.attempts)
        .opt_time(row.not_before)
        .opt_text(row.worker.as_deref())
        .opt_text(row.message_id.as_deref())
        .opt_text(row.reason.as_deref())
        .time(row.due_at)
        .place(row.due)
        .opt_place(row.mail)
        .opt_time(row.stepped_at)
        .done()
}

fn checkout_line((app, user): Name<'_>, session: &str, row: &Checkout) -> String {
    Line::default()
        .text(app)
        .text(user)
        .text(session)
        .number(row.amount)
        .text(&row.url)
        .text(row.state)
        .opt_text(row.reason.map(Park::word))
        .opt_number(row.paid)
        .opt_text(row.payment.as_deref())
        .opt_text(row.key.as_deref())
        .text(&row.actor)
        .time(row.expires_at)
        .time(row.opened_at)
        .place(row.opened)
        .time(row.stepped_at)
        .done()
}
