//! Mails from the crossing in a real ledger to the inbox of a sandbox: each once, whatever fails on the way.

#![expect(clippy::unwrap_used, reason = "a test that can not go on says so by panicking")]

mod world;

use std::sync::Arc;
use std::time::Duration;

use ledger_core::upkeep::{NoticeKind, NoticeState};
use locus_sandbox::{Fault, Rule, Service};
use notifier::{Config, Drip, Timing};
use projector::upkeep::NoticeRow;

use world::{By, World, address};

const BOTH: [By; 2] = [By::Direct, By::X402];

/// An answer that nobody waits for long enough.
const NEVER: Fault = Fault::LateAnswerMs { ms: 3_600_000 };

#[tokio::test]
async fn a_mail_is_sent_once_and_says_what_it_should() {
    for by in BOTH {
        let world = World::start().await;
        world.low("anna").await;
        let notifiers = ["one", "two"].map(|name| world.run(world.config(name, by)));
        let row = world.comes_to("anna", NoticeState::Sent).await;
        for notifier in notifiers {
            notifier.stop().await;
        }
        let mails = world.sandbox.messages();
        let [mail] = mails.as_slice() else { panic!("{mails:?}") };
        assert_eq!(row.message_id.as_ref(), Some(&mail.message_id));
        assert_eq!(mail.letter.to, [address("anna")]);
        assert_eq!(mail.letter.subject.as_deref(), Some("The Demo: your credit is running low"));
        let text = mail.letter.text.as_deref().unwrap();
        for part in ["0.1 USDC", "10 % of 1 USDC", "https://demo.example/demo/anna", "Reference: "] {
            assert!(text.contains(part), "{text}");
        }
        assert_eq!(mail.letter.html.is_some(), by == By::Direct);
    }
}

#[tokio::test]
async fn signals_are_enough() {
    let world = World::start().await;
    world.low("anna").await;
    let config = world.config("one", By::Direct);
    let timing = Timing { sweep: Duration::from_secs(3_600), ..config.timing };
    let _running = world.run(Config { timing, ..config });
    world.comes_to("anna", NoticeState::Sent).await;
    // The sweep is over, and the next one far off.
    world.spend("bert", Some(&address("bert")), 1_000_000).await;
    world.has("bert", NoticeKind::Paused, |row| row.state == NoticeState::Sent).await;
    world.deposit("bert", 5_000_000).await;
    world.has("bert", NoticeKind::Restored, |row| row.state == NoticeState::Sent).await;
    // What was passed at once with the end is not worth a mail.
    world.comes_to("bert", NoticeState::Superseded).await;
    let subjects: Vec<_> = world.mails().into_iter().map(|(_, subject)| subject).collect();
    assert_eq!(subjects.len(), 3, "{subjects:?}");
    assert!(subjects[2].ends_with("your service runs again"), "{subjects:?}");
}

#[tokio::test]
async fn what_is_not_true_any_more_is_not_sent() {
    let world = World::start().await;
    world.low("anna").await;
    world.deposit("anna", 9_000_000).await;
    let _running = world.run(world.config("one", By::Direct));
    world.comes_to("anna", NoticeState::Superseded).await;
    assert_eq!(world.mails(), []);
}

#[tokio::test]
async fn a_service_that_is_down_gets_the_mail_later() {
    for by in BOTH {
        let world = World::start().await;
        world.sends(by, Fault::Status { status: 503, retry_after: None }, None);
        world.low("anna").await;
        let _running = world.run(world.config("one", by));
        let attempted = |row: &NoticeRow| row.attempts >= 3;
        let row = world.has("anna", NoticeKind::LowCredit, attempted).await;
        assert!(!row.state.is_final(), "{row:?}");
        world.sandbox.clear_faults();
        world.comes_to("anna", NoticeState::Sent).await;
        assert_eq!(world.mails().len(), 1);
    }
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_not_sent_again() {
    for by in BOTH {
        let world = World::start().await;
        world.sends(by, Fault::LostAnswer, Some(1));
        world.low("anna").await;
        let _running = world.run(world.config("one", by));
        let row = world.comes_to("anna", NoticeState::Sent).await;
        assert_eq!((row.attempts, world.mails().len()), (2, 1), "{by:?} {row:?}");
    }
}

#[tokio::test]
async fn a_crash_between_sending_and_telling_sends_nothing_twice() {
    for by in BOTH {
        let world = World::start().await;
        world.sends(by, NEVER, Some(1));
        world.low("anna").await;
        let crashed = world.run(world.hasty("one", by));
        world.sent(1).await;
        drop(crashed);
        let _running = world.run(world.config("two", by));
        let row = world.comes_to("anna", NoticeState::Sent).await;
        assert_eq!((row.attempts, world.mails().len()), (2, 1), "{by:?} {row:?}");
    }
}

#[tokio::test]
async fn under_its_old_name_a_restarted_notifier_waits_for_no_claim_of_its_own() {
    let world = World::start().await;
    world.sends(By::Direct, NEVER, Some(1));
    world.low("anna").await;
    let crashed = world.run(world.config("one", By::Direct));
    world.sent(1).await;
    drop(crashed);
    // The claim holds for longer than a test waits.
    let _running = world.run(world.config("one", By::Direct));
    world.comes_to("anna", NoticeState::Sent).await;
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_ends_the_attempt_and_not_the_mail() {
    for by in BOTH {
        let world = World::start().await;
        world.sends(by, NEVER, Some(1));
        world.low("anna").await;
        let _running = world.run(world.hasty("one", by));
        let row = world.comes_to("anna", NoticeState::Sent).await;
        assert_eq!((row.attempts, world.mails().len()), (2, 1), "{by:?} {row:?}");
    }
}

#[tokio::test]
async fn without_the_providers_list_nothing_is_repeated() {
    let world = World::start().await;
    world.sends(By::X402, Fault::LostAnswer, Some(1));
    let path = Some("*/agentmail-list-messages".into());
    let unlisted = Fault::Status { status: 500, retry_after: None };
    world.sandbox.add_fault(Rule { path, ..Rule::new(Service::Pay, unlisted) });
    world.low("anna").await;
    let _running = world.run(world.config("one", By::X402));
    let row = world.has("anna", NoticeKind::LowCredit, |row| row.attempts >= 3).await;
    assert!(!row.state.is_final(), "{row:?}");
    world.sandbox.clear_faults();
    world.comes_to("anna", NoticeState::Sent).await;
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn an_address_that_takes_no_mail_is_given_up() {
    let world = World::start().await;
    world.sandbox.suppress(&address("anna"));
    world.low("anna").await;
    world.spend("bert", None, 900_000).await;
    let _running = world.run(world.config("one", By::Direct));
    let row = world.comes_to("anna", NoticeState::Abandoned).await;
    assert!(row.reason.as_ref().is_some_and(|reason| reason.contains("message_rejected")), "{row:?}");
    assert!(!row.reason.unwrap().contains("example.org"));
    let row = world.comes_to("bert", NoticeState::Abandoned).await;
    assert_eq!(row.reason.as_deref(), Some("no address"));
    assert_eq!(world.mails(), []);
}

#[tokio::test]
async fn a_mail_that_is_too_old_or_too_long_in_doubt_is_given_up() {
    let world = World::start().await;
    world.low("anna").await;
    let config = world.config("one", By::Direct);
    let timing = Timing { max_age: Duration::ZERO, ..config.timing };
    let running = world.run(Config { timing, ..config });
    let row = world.comes_to("anna", NoticeState::Abandoned).await;
    assert_eq!(row.reason.as_deref(), Some("too old"));
    running.stop().await;

    world.sends(By::Direct, Fault::LostAnswer, None);
    world.low("bert").await;
    let config = world.config("one", By::Direct);
    let timing = Timing { give_up: Duration::from_millis(500), ..config.timing };
    let _running = world.run(Config { timing, ..config });
    let row = world.comes_to("bert", NoticeState::Abandoned).await;
    assert_eq!(row.reason.as_deref(), Some("outcome unknown: look at the provider"));
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn what_another_left_in_doubt_for_too_long_is_taken_over_and_given_up() {
    let world = World::start().await;
    world.sends(By::Direct, NEVER, Some(1));
    world.low("anna").await;
    let crashed = world.run(world.hasty("one", By::Direct));
    world.sent(1).await;
    drop(crashed);
    let config = world.config("two", By::Direct);
    let timing = Timing { give_up: Duration::ZERO, ..config.timing };
    let _running = world.run(Config { timing, ..config });
    let row = world.comes_to("anna", NoticeState::Abandoned).await;
    assert_eq!(row.reason.as_deref(), Some("outcome unknown: look at the provider"));
    assert_eq!(world.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_in_doubt_is_seen_to_its_end_beside_the_next_of_its_kind() {
    for by in BOTH {
        let world = World::start().await;
        world.sends(by, NEVER, Some(1));
        world.low("anna").await;
        let crashed = world.run(world.hasty("one", by));
        world.sent(1).await;
        drop(crashed);
        world.deposit("anna", 1_000_000).await;
        world.spend("anna", None, 1_000_000).await;
        let _running = world.run(world.config("two", by));
        for epoch in [1, 2] {
            let is_sent = |row: &NoticeRow| row.epoch == epoch && row.state == NoticeState::Sent;
            world.has("anna", NoticeKind::LowCredit, is_sent).await;
        }
        assert_eq!(world.mails().len(), 2, "{by:?}");
    }
}

#[tokio::test]
async fn a_slow_mail_delays_no_other_account() {
    for by in BOTH {
        let world = World::start().await;
        let service = if by == By::Direct { Service::Mail } else { Service::Pay };
        let slow = Fault::LatencyMs { ms: 3_600_000 };
        world.sandbox.add_fault(Rule { contains: Some(address("anna")), ..Rule::new(service, slow) });
        world.low("anna").await;
        let _running = world.run(world.config("one", by));
        world.comes_to("anna", NoticeState::Sending).await;
        world.low("bert").await;
        world.comes_to("bert", NoticeState::Sent).await;
        assert_eq!(world.comes_to("anna", NoticeState::Sending).await.attempts, 1);
    }
}

#[tokio::test]
async fn a_refused_key_is_waited_out_and_not_a_reason_to_give_up() {
    let world = World::start().await;
    world.sends(By::Direct, Fault::Status { status: 401, retry_after: None }, None);
    world.low("anna").await;
    let _running = world.run(world.config("one", By::Direct));
    let row = world.has("anna", NoticeKind::LowCredit, |row| row.attempts >= 2).await;
    assert!(!row.state.is_final(), "{row:?}");
    world.sandbox.clear_faults();
    world.comes_to("anna", NoticeState::Sent).await;
    assert_eq!(world.mails().len(), 1);
}

/// Whatever answer of Drip is lost: that a claim was accepted, that a mail was taken down as sent.
#[tokio::test]
async fn answers_of_drip_that_are_lost_send_nothing_twice() {
    for by in BOTH {
        for answers in 0..4 {
            let world = World::start().await;
            world.low("anna").await;
            let road = world.bad_road(answers).await;
            let config = world.hasty("one", by);
            let door = Drip::new(road.client.clone(), config.worker.clone(), &config.timing);
            let _running = world.run(Config { door: Arc::new(door), ..config });
            world.comes_to("anna", NoticeState::Sent).await;
            assert_eq!(world.mails().len(), 1, "{by:?} {answers}");
        }
    }
}

#[tokio::test]
async fn what_can_never_work_is_said_at_the_start() {
    let world = World::start().await;
    let config = world.config("one", By::Direct);
    let wrong = Config { top_up_url: Some("https://x/{nobody}".into()), ..config.clone() };
    let said = notifier::run(wrong, tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    assert!(said.to_string().contains("{app} and {user_id}"), "{said}");
    let wrong = Config { templates: Some("nowhere".into()), ..config };
    let said = notifier::run(wrong, tokio_util::sync::CancellationToken::new()).await.unwrap_err();
    assert!(said.to_string().contains("nowhere"), "{said}");
}
