//! The bytes of what people and workers tell of the upkeep of an account: frozen as all others are, see
//! `schemas/wire.md`. Readers before version 3 do not know them.

use super::builder::{CommitBuilder, key, sealed};
use super::decode::{self, DecodeError, Tables, amount};
use super::wire_upkeep as wire;
use crate::event::{
    CheckoutStepped, ContainerSet, ContainerSettings, LifecycleStepped, NoticeStepped, Paused, Resumed,
    Solvency, SolvencyChecked,
};
use crate::money::Usdc;
use crate::time::Timestamp;
use crate::upkeep::{CheckoutStep, NoticeKind, NoticeStep, Operation, ParkReason, Phase, Step, Strategy};

/// What an enum is in the log: numbers that never change.
macro_rules! numbers {
    ($name:ident, $what:literal, $to:ident, $from:ident: $($number:literal = $variant:ident),*) => {
        fn $to(value: $name) -> u8 {
            match value { $($name::$variant => $number),* }
        }
        fn $from(number: u8) -> Result<$name, DecodeError> {
            match number { $($number => Ok($name::$variant),)* _ => Err(DecodeError::Impossible($what)) }
        }
    };
}

numbers!(Operation, "operation", operation_number, operation:
    1 = Provision, 2 = Hibernate, 3 = Restore, 4 = Deprovision);
numbers!(Phase, "phase", phase_number, phase:
    0 = Absent, 1 = Creating, 2 = Starting, 3 = Running, 4 = Stopping, 5 = Asleep);
numbers!(Strategy, "strategy", strategy_number, strategy: 1 = MinZero, 2 = MinMaxZero, 3 = Redeploy, 4 = Delete);
numbers!(NoticeKind, "kind of mail", kind_number, kind:
    1 = LowCredit, 2 = Paused, 3 = Restored, 4 = PlanSuggestion);
numbers!(ParkReason, "reason", park_number, park: 1 = Expired, 2 = Cancelled, 3 = AmountDiffers, 4 = Refused, 5 = Late);
numbers!(Solvency, "solvency", solvency_number, solvency: 0 = Ok, 1 = Warn, 2 = Critical, 3 = Unknown);

fn some<T>(value: Option<T>, what: &'static str) -> Result<T, DecodeError> {
    value.ok_or(DecodeError::Impossible(what))
}

fn text<T: std::str::FromStr<Err = crate::ids::InvalidName>>(
    value: Option<String>,
    what: &'static str,
) -> Result<T, DecodeError> {
    Ok(some(value, what)?.parse()?)
}

impl CommitBuilder {
    pub(super) fn container_set(&mut self, event: &ContainerSet) -> wire::ContainerSet {
        wire::ContainerSet {
            account: self.account(&event.account),
            image: event.settings.image.to_string(),
            health_path: event.settings.health_path.to_string(),
            actor: self.text(event.actor.as_str()),
            key: event.key.as_ref().map(key),
            variables: event.settings.variables.as_ref().map(sealed),
        }
    }

    pub(super) fn paused(&mut self, event: &Paused) -> wire::Paused {
        wire::Paused {
            account: self.account(&event.account),
            balance: event.balance.credits(),
            actor: self.text(event.actor.as_str()),
            key: event.key.as_ref().map(key),
        }
    }

    pub(super) fn resumed(&mut self, event: &Resumed) -> wire::Resumed {
        wire::Resumed {
            account: self.account(&event.account),
            balance: event.balance.credits(),
            actor: self.text(event.actor.as_str()),
            key: event.key.as_ref().map(key),
            forced: event.forced.then_some(true),
        }
    }

    pub(super) fn lifecycle_stepped(&mut self, event: &LifecycleStepped) -> wire::LifecycleStepped {
        let mut wire = wire::LifecycleStepped {
            account: self.account(&event.account),
            number: event.number,
            step: 0,
            phase: phase_number(event.phase),
            worker: self.text(event.worker.as_str()),
            operation: None,
            until: None,
            id: None,
            url: None,
            strategy: None,
            reason: None,
            gave_up: None,
            attempts: None,
        };
        wire.tell(&event.step);
        wire
    }

    pub(super) fn notice_stepped(&mut self, event: &NoticeStepped) -> wire::NoticeStepped {
        let mut wire = wire::NoticeStepped {
            account: self.account(&event.account),
            kind: kind_number(event.kind),
            epoch: event.epoch,
            number: event.number,
            step: 0,
            worker: self.text(event.worker.as_str()),
            until: None,
            message_id: None,
            reason: None,
            mail: None,
        };
        wire.tell(&event.step);
        wire
    }

    pub(super) fn checkout_stepped(&mut self, event: &CheckoutStepped) -> wire::CheckoutStepped {
        let mut wire = wire::CheckoutStepped {
            account: self.account(&event.account),
            session: event.session.to_string(),
            step: 0,
            actor: self.text(event.actor.as_str()),
            amount: None,
            text: None,
            expires_at: None,
            key: None,
            secret: None,
            reason: None,
        };
        wire.tell(&event.step);
        wire
    }

    pub(super) fn solvency_checked(&mut self, event: &SolvencyChecked) -> wire::SolvencyChecked {
        wire::SolvencyChecked {
            balances: event.balances.credits(),
            positions: event.positions.clone(),
            wallet_level: solvency_number(event.wallet_level),
            build_level: solvency_number(event.build_level),
            worker: self.text(event.worker.as_str()),
            wallet: event.wallet.map(Usdc::credits),
            promo: event.promo.map(Usdc::credits),
            build_credits: event.build_credits.map(Usdc::credits),
            build_monthly: event.build_monthly.map(Usdc::credits),
        }
    }
}

impl wire::LifecycleStepped {
    fn tell(&mut self, step: &Step) {
        self.step = match step {
            Step::Claimed { operation, until, attempts } => {
                (self.operation, self.until) = (Some(operation_number(*operation)), Some(until.0));
                self.attempts = Some(*attempts).filter(|attempts| *attempts > 0);
                0
            }
            Step::ProjectCreated { id } => self.named(id.as_str(), 1),
            Step::EnvironmentCreated { id } => self.named(id.as_str(), 2),
            Step::ServiceCreated { id, url } => {
                self.url = Some(url.to_string());
                self.named(id.as_str(), 3)
            }
            Step::VariablesSet => 4,
            Step::ScaledUp => 5,
            Step::ScaledDown { strategy } => {
                self.strategy = Some(strategy_number(*strategy));
                6
            }
            Step::DeploymentStarted { id } => self.named(id.as_str(), 7),
            Step::Running => 8,
            Step::Asleep => 9,
            Step::ServiceDeleted => 10,
            Step::ProjectDeleted => 11,
            Step::Failed { reason, attempts, retry_at, gave_up } => {
                self.attempts = Some(*attempts).filter(|attempts| *attempts > 0);
                (self.reason, self.until) = (Some(reason.to_string()), Some(retry_at.0));
                self.gave_up = gave_up.then_some(true);
                12
            }
        };
    }

    fn named(&mut self, id: &str, step: u8) -> u8 {
        self.id = Some(id.to_owned());
        step
    }

    fn told(self) -> Result<Step, DecodeError> {
        let Self { step, operation: op, until, id, url, strategy: how, reason, gave_up, attempts, .. } = self;
        let attempts = attempts.unwrap_or(0);
        let id = || text(id, "id");
        Ok(match step {
            0 => Step::Claimed {
                operation: operation(some(op, "operation")?)?,
                until: Timestamp(some(until, "time")?),
                attempts,
            },
            1 => Step::ProjectCreated { id: id()? },
            2 => Step::EnvironmentCreated { id: id()? },
            3 => Step::ServiceCreated { id: id()?, url: text(url, "address")? },
            4 => Step::VariablesSet,
            5 => Step::ScaledUp,
            6 => Step::ScaledDown { strategy: strategy(some(how, "strategy")?)? },
            7 => Step::DeploymentStarted { id: id()? },
            8 => Step::Running,
            9 => Step::Asleep,
            10 => Step::ServiceDeleted,
            11 => Step::ProjectDeleted,
            12 => Step::Failed {
                reason: text(reason, "reason")?,
                attempts,
                retry_at: Timestamp(some(until, "time")?),
                gave_up: gave_up.unwrap_or(false),
            },
            _ => return Err(DecodeError::Impossible("step")),
        })
    }
}

impl wire::NoticeStepped {
    fn tell(&mut self, step: &NoticeStep) {
        self.step = match step {
            NoticeStep::Claimed { until, mail } => {
                (self.until, self.mail) = (Some(until.0), mail.as_ref().map(sealed));
                0
            }
            NoticeStep::Sent { message_id } => {
                self.message_id = Some(message_id.to_string());
                1
            }
            NoticeStep::Failed { reason, retry_at } => {
                (self.reason, self.until) = (Some(reason.to_string()), Some(retry_at.0));
                2
            }
            NoticeStep::Abandoned { reason } => {
                self.reason = Some(reason.to_string());
                3
            }
            NoticeStep::Superseded => 4,
        };
    }

    fn told(self) -> Result<NoticeStep, DecodeError> {
        Ok(match self.step {
            0 => NoticeStep::Claimed {
                until: Timestamp(some(self.until, "time")?),
                mail: self.mail.map(decode::sealed),
            },
            1 => NoticeStep::Sent { message_id: text(self.message_id, "id")? },
            2 => NoticeStep::Failed {
                reason: text(self.reason, "reason")?,
                retry_at: Timestamp(some(self.until, "time")?),
            },
            3 => NoticeStep::Abandoned { reason: text(self.reason, "reason")? },
            4 => NoticeStep::Superseded,
            _ => return Err(DecodeError::Impossible("step")),
        })
    }
}

impl wire::CheckoutStepped {
    fn tell(&mut self, step: &CheckoutStep) {
        self.step = match step {
            CheckoutStep::Opened { amount, url, expires_at, key: chosen, secret } => {
                (self.amount, self.text) = (Some(amount.credits()), Some(url.to_string()));
                (self.expires_at, self.key) = (Some(expires_at.0), chosen.as_ref().map(key));
                self.secret = secret.as_ref().map(sealed);
                0
            }
            CheckoutStep::Paid { transaction } => {
                self.text = transaction.as_ref().map(ToString::to_string);
                1
            }
            CheckoutStep::Parked { reason, paid } => {
                (self.reason, self.amount) = (Some(park_number(*reason)), paid.map(Usdc::credits));
                2
            }
            CheckoutStep::Dismissed => 3,
        };
    }

    fn told(self) -> Result<CheckoutStep, DecodeError> {
        Ok(match self.step {
            0 => CheckoutStep::Opened {
                amount: amount(some(self.amount, "amount")?)?,
                url: text(self.text, "address")?,
                expires_at: Timestamp(some(self.expires_at, "time")?),
                key: self.key.as_ref().map(decode::key).transpose()?,
                secret: self.secret.map(decode::sealed),
            },
            1 => CheckoutStep::Paid { transaction: self.text.map(|text| text.parse()).transpose()? },
            2 => CheckoutStep::Parked {
                reason: park(some(self.reason, "reason")?)?,
                paid: self.amount.map(amount).transpose()?,
            },
            3 => CheckoutStep::Dismissed,
            _ => return Err(DecodeError::Impossible("step")),
        })
    }
}

impl Tables<'_> {
    pub(super) fn container_set(&self, event: wire::ContainerSet) -> Result<ContainerSet, DecodeError> {
        let settings = ContainerSettings {
            image: event.image.parse()?,
            health_path: event.health_path.parse()?,
            variables: event.variables.map(decode::sealed),
        };
        Ok(ContainerSet {
            account: self.account(event.account)?,
            key: event.key.as_ref().map(decode::key).transpose()?,
            settings,
            actor: self.name(event.actor)?,
        })
    }

    pub(super) fn paused(&self, event: &wire::Paused) -> Result<Paused, DecodeError> {
        Ok(Paused {
            account: self.account(event.account)?,
            key: event.key.as_ref().map(decode::key).transpose()?,
            balance: amount(event.balance)?,
            actor: self.name(event.actor)?,
        })
    }

    pub(super) fn resumed(&self, event: &wire::Resumed) -> Result<Resumed, DecodeError> {
        Ok(Resumed {
            account: self.account(event.account)?,
            key: event.key.as_ref().map(decode::key).transpose()?,
            forced: event.forced.unwrap_or(false),
            balance: amount(event.balance)?,
            actor: self.name(event.actor)?,
        })
    }

    pub(super) fn lifecycle_stepped(
        &self,
        event: wire::LifecycleStepped,
    ) -> Result<LifecycleStepped, DecodeError> {
        Ok(LifecycleStepped {
            account: self.account(event.account)?,
            number: event.number,
            phase: phase(event.phase)?,
            worker: self.name(event.worker)?,
            step: event.told()?,
        })
    }

    pub(super) fn notice_stepped(&self, event: wire::NoticeStepped) -> Result<NoticeStepped, DecodeError> {
        Ok(NoticeStepped {
            account: self.account(event.account)?,
            kind: kind(event.kind)?,
            epoch: event.epoch,
            number: event.number,
            worker: self.name(event.worker)?,
            step: event.told()?,
        })
    }

    pub(super) fn checkout_stepped(
        &self,
        event: wire::CheckoutStepped,
    ) -> Result<CheckoutStepped, DecodeError> {
        Ok(CheckoutStepped {
            account: self.account(event.account)?,
            session: event.session.parse()?,
            actor: self.name(event.actor)?,
            step: event.told()?,
        })
    }

    pub(super) fn solvency_checked(
        &self,
        event: wire::SolvencyChecked,
    ) -> Result<SolvencyChecked, DecodeError> {
        Ok(SolvencyChecked {
            balances: Usdc::from_credits(event.balances),
            wallet: event.wallet.map(Usdc::from_credits),
            promo: event.promo.map(Usdc::from_credits),
            wallet_level: solvency(event.wallet_level)?,
            build_credits: event.build_credits.map(Usdc::from_credits),
            build_monthly: event.build_monthly.map(Usdc::from_credits),
            build_level: solvency(event.build_level)?,
            worker: self.name(event.worker)?,
            positions: event.positions,
        })
    }
}
