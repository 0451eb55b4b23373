//! Any event of the upkeep of an account, with its optional fields present and absent.

use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use super::strategies::{account, amount, key, label, sealed, text};
use crate::event::{
    CheckoutStepped, ContainerSet, ContainerSettings, Event, LifecycleStepped, NoticeStepped, Paused,
    Resumed, Solvency, SolvencyChecked,
};
use crate::ids::{LongText, SessionId};
use crate::time::Timestamp;
use crate::upkeep::{
    CheckoutStep, NoticeKind, NoticeStep, Operation, ParkReason, Phase, Step, Strategy as How,
};

fn long_text() -> impl Strategy<Value = LongText> {
    text().prop_map(|text| LongText::new(&text).unwrap())
}

fn time() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp)
}

fn step() -> impl Strategy<Value = Step> {
    let operation =
        select(vec![Operation::Provision, Operation::Hibernate, Operation::Restore, Operation::Deprovision]);
    let claimed = (operation, time(), any::<u16>());
    let failed = (long_text(), any::<u16>(), time(), any::<bool>());
    prop_oneof![
        claimed.prop_map(|(operation, until, attempts)| Step::Claimed { operation, until, attempts }),
        label().prop_map(|id| Step::ProjectCreated { id }),
        label().prop_map(|id| Step::EnvironmentCreated { id }),
        (label(), long_text()).prop_map(|(id, url)| Step::ServiceCreated { id, url }),
        label().prop_map(|id| Step::DeploymentStarted { id }),
        select(How::ALL.to_vec()).prop_map(|strategy| Step::ScaledDown { strategy }),
        failed.prop_map(|(reason, attempts, retry_at, gave_up)| Step::Failed {
            reason,
            attempts,
            retry_at,
            gave_up
        }),
        select(vec![
            Step::VariablesSet,
            Step::ScaledUp,
            Step::Running,
            Step::Asleep,
            Step::ServiceDeleted,
            Step::ProjectDeleted,
        ]),
    ]
}

fn lifecycle_stepped() -> impl Strategy<Value = LifecycleStepped> {
    let phase = select(vec![
        Phase::Absent,
        Phase::Creating,
        Phase::Starting,
        Phase::Running,
        Phase::Stopping,
        Phase::Asleep,
    ]);
    (account(), any::<u32>(), step(), phase, label()).prop_map(|(account, number, step, phase, worker)| {
        LifecycleStepped { account, number, step, phase, worker }
    })
}

fn notice_stepped() -> impl Strategy<Value = NoticeStepped> {
    let kind = select(vec![
        NoticeKind::LowCredit,
        NoticeKind::Paused,
        NoticeKind::Restored,
        NoticeKind::PlanSuggestion,
    ]);
    let step = prop_oneof![
        (time(), of(sealed())).prop_map(|(until, mail)| NoticeStep::Claimed { until, mail }),
        long_text().prop_map(|message_id| NoticeStep::Sent { message_id }),
        (long_text(), time()).prop_map(|(reason, retry_at)| NoticeStep::Failed { reason, retry_at }),
        long_text().prop_map(|reason| NoticeStep::Abandoned { reason }),
        Just(NoticeStep::Superseded),
    ];
    (account(), kind, any::<u32>(), any::<u32>(), step, label()).prop_map(
        |(account, kind, epoch, number, step, worker)| NoticeStepped {
            account,
            kind,
            epoch,
            number,
            step,
            worker,
        },
    )
}

fn checkout_stepped() -> impl Strategy<Value = CheckoutStepped> {
    let reason = select(vec![
        ParkReason::Expired,
        ParkReason::Cancelled,
        ParkReason::AmountDiffers,
        ParkReason::Refused,
        ParkReason::Late,
    ]);
    let step = prop_oneof![
        (amount(), long_text(), time(), of(key()), of(sealed())).prop_map(
            |(amount, url, expires_at, key, secret)| CheckoutStep::Opened {
                amount,
                url,
                expires_at,
                key,
                secret
            }
        ),
        of(long_text()).prop_map(|transaction| CheckoutStep::Paid { transaction }),
        (reason, of(amount())).prop_map(|(reason, paid)| CheckoutStep::Parked { reason, paid }),
        Just(CheckoutStep::Dismissed),
    ];
    let session = text().prop_map(|text| SessionId::new(&text.chars().take(25).collect::<String>()).unwrap());
    (account(), session, step, label()).prop_map(|(account, session, step, actor)| CheckoutStepped {
        account,
        session,
        step,
        actor,
    })
}

fn solvency_checked() -> impl Strategy<Value = SolvencyChecked> {
    let level = || select(vec![Solvency::Ok, Solvency::Warn, Solvency::Critical, Solvency::Unknown]);
    let positions = proptest::collection::vec(any::<u64>(), 0..4);
    let money = (amount(), of(amount()), of(amount()), of(amount()), of(amount()));
    (money, positions, level(), level(), label()).prop_map(
        |(
            (balances, wallet, promo, build_credits, build_monthly),
            positions,
            wallet_level,
            build_level,
            worker,
        )| {
            SolvencyChecked {
                balances,
                positions,
                wallet,
                promo,
                wallet_level,
                build_credits,
                build_monthly,
                build_level,
                worker,
            }
        },
    )
}

pub(super) fn event() -> impl Strategy<Value = Event> {
    let settings = (long_text(), long_text(), of(sealed()))
        .prop_map(|(image, health_path, variables)| ContainerSettings { image, health_path, variables });
    let set = (account(), of(key()), settings, label())
        .prop_map(|(account, key, settings, actor)| ContainerSet { account, key, settings, actor });
    let paused = (account(), of(key()), amount(), label())
        .prop_map(|(account, key, balance, actor)| Paused { account, key, balance, actor });
    let resumed = (account(), of(key()), any::<bool>(), amount(), label())
        .prop_map(|(account, key, forced, balance, actor)| Resumed { account, key, forced, balance, actor });
    prop_oneof![
        set.prop_map(Event::ContainerSet),
        paused.prop_map(Event::Paused),
        resumed.prop_map(Event::Resumed),
        lifecycle_stepped().prop_map(Event::LifecycleStepped),
        notice_stepped().prop_map(Event::NoticeStepped),
        checkout_stepped().prop_map(Event::CheckoutStepped),
        solvency_checked().prop_map(Event::SolvencyChecked),
    ]
}
