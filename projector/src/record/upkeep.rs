//! Records as rows of the upkeep of accounts.

use ledger_core::upkeep::Standing;
use ledger_core::{Position, Usdc};

use super::{Fields, PartitionId};
use crate::error::Error;
use crate::rows::ChainPosition;
use crate::store::Record;
use crate::upkeep::rows::{CheckoutRow, ContainerRow, LogRow, NoticeRow, SolvencyRow};
use crate::upkeep::words::{
    checkout_of, log_kind_of, notice_kind_of, notice_state_of, operation_of, park_of, phase_of, solvency_of,
    strategy_of,
};

/// The columns that the functions below read, in their order.
pub(crate) const CONTAINER: &str = "app, user_id, image, health_path, set_partition, set_sequence, set_idx, \
    set_at, phase, steps, ran, deployed, project, environment, service, deployment, url, strategy, operation, \
    worker, until, attempts, retry_at, gave_up, reason, stepped_at";
pub(crate) const NOTICE: &str = "app, user_id, kind, epoch, state, steps, attempts, not_before, worker, \
    message_id, reason, due_at, due_partition, due_sequence, due_idx, mail_partition, mail_sequence, mail_idx, \
    stepped_at";
pub(crate) const CHECKOUT: &str = "app, user_id, session, amount, url, state, reason, paid, payment, key, \
    actor, expires_at, opened_at, opened_partition, opened_sequence, opened_idx, stepped_at";
pub(crate) const SOLVENCY: &str = "partition, sequence, idx, recorded_at, balances, positions, wallet, promo, \
    wallet_level, build_credits, build_monthly, build_level, worker";
pub(crate) const LOG: &str = "partition, sequence, idx, recorded_at, app, user_id, kind, step, subject, amount, \
    balance, text, actor";

impl Fields {
    fn opt_amount(&mut self) -> Result<Option<Usdc>, Error> {
        Ok(self.opt_int()?.map(Usdc::from_credits))
    }

    fn opt_position(&mut self) -> Result<Option<Position>, Error> {
        let (partition, sequence, index) = (self.opt_int()?, self.opt_int()?, self.opt_int()?);
        let (Some(partition), Some(sequence), Some(index)) = (partition, sequence, index) else {
            return Ok(None);
        };
        let impossible = |_| Error::Impossible("position");
        Ok(Some(Position {
            partition: PartitionId(partition.try_into().map_err(impossible)?),
            sequence: sequence.try_into().map_err(impossible)?,
            index: index.try_into().map_err(impossible)?,
        }))
    }
}

pub(crate) fn container(record: Record) -> Result<ContainerRow, Error> {
    let mut fields = Fields::of(record);
    Ok(ContainerRow {
        account: fields.account()?,
        image: fields.text()?,
        health_path: fields.text()?,
        set: fields.position()?,
        set_at: fields.time()?,
        phase: fields.word("phase", phase_of)?,
        steps: fields.int()?,
        ran: fields.flag()?,
        deployed: fields.flag()?,
        project: fields.opt_text()?,
        environment: fields.opt_text()?,
        service: fields.opt_text()?,
        deployment: fields.opt_text()?,
        url: fields.opt_text()?,
        strategy: fields.opt_word("strategy", strategy_of)?,
        operation: fields.opt_word("operation", operation_of)?,
        worker: fields.opt_text()?,
        until: fields.opt_time()?,
        attempts: fields.int()?,
        retry_at: fields.opt_time()?,
        gave_up: fields.flag()?,
        reason: fields.opt_text()?,
        stepped_at: fields.opt_time()?,
    })
}

/// As much of a container as a status is made of; nothing when there is none.
pub(crate) fn standing(fields: &mut Fields) -> Result<Option<Standing>, Error> {
    let Some(phase) = fields.opt_word("phase", phase_of)? else { return Ok(None) };
    Ok(Some(Standing { phase, ran: fields.flag()?, gave_up: fields.flag()? }))
}

pub(crate) fn notice(record: Record) -> Result<NoticeRow, Error> {
    let mut fields = Fields::of(record);
    Ok(NoticeRow {
        account: fields.account()?,
        kind: fields.word("kind of mail", notice_kind_of)?,
        epoch: fields.int()?,
        state: fields.word("state of a mail", notice_state_of)?,
        steps: fields.int()?,
        attempts: fields.int()?,
        not_before: fields.opt_time()?,
        worker: fields.opt_text()?,
        message_id: fields.opt_text()?,
        reason: fields.opt_text()?,
        due_at: fields.time()?,
        due: fields.position()?,
        mail: fields.opt_position()?,
        stepped_at: fields.opt_time()?,
    })
}

pub(crate) fn checkout(record: Record) -> Result<CheckoutRow, Error> {
    let mut fields = Fields::of(record);
    Ok(CheckoutRow {
        account: fields.account()?,
        session: fields.text()?,
        amount: fields.amount()?,
        url: fields.text()?,
        state: fields.word("state of a session", checkout_of)?,
        reason: fields.opt_word("reason", park_of)?,
        paid: fields.opt_amount()?,
        payment: fields.opt_text()?,
        key: fields.opt_text()?,
        actor: fields.text()?,
        expires_at: fields.time()?,
        opened_at: fields.time()?,
        opened: fields.position()?,
        stepped_at: fields.time()?,
    })
}

pub(crate) fn solvency(record: Record) -> Result<SolvencyRow, Error> {
    let mut fields = Fields::of(record);
    Ok(SolvencyRow {
        position: fields.position()?,
        recorded_at: fields.time()?,
        balances: fields.amount()?,
        positions: fields.word("list of positions", |json| serde_json::from_str(json).ok())?,
        wallet: fields.opt_amount()?,
        promo: fields.opt_amount()?,
        wallet_level: fields.word("solvency", solvency_of)?,
        build_credits: fields.opt_amount()?,
        build_monthly: fields.opt_amount()?,
        build_level: fields.word("solvency", solvency_of)?,
        worker: fields.text()?,
    })
}

pub(crate) fn log(record: Record) -> Result<LogRow, Error> {
    let mut fields = Fields::of(record);
    Ok(LogRow {
        position: fields.position()?,
        recorded_at: fields.time()?,
        account: fields.opt_account()?,
        kind: fields.word("kind of signal", log_kind_of)?,
        step: fields.opt_text()?,
        subject: fields.opt_text()?,
        amount: fields.opt_amount()?,
        balance: fields.opt_amount()?,
        text: fields.opt_text()?,
        actor: fields.opt_text()?,
    })
}

/// The sum of all balances, and how far a partition was folded then.
pub(crate) fn balances(mut record: Record) -> Result<(Usdc, ChainPosition), Error> {
    let rest = record.split_off(1);
    let sum = Fields::of(record).amount()?;
    Ok((sum, super::chain_position(rest)?))
}
