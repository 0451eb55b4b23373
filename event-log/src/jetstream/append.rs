//! One publish, and what its answer means.

use std::error::Error as _;

use async_nats::jetstream::Context;
use async_nats::jetstream::context::traits::Publisher as _;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::{OutboundMessage, PublishMessage};
use async_nats::jetstream::publish::PublishAck;
use ledger_core::Sequence;
use ledger_core::commit::EncodedCommit;
use planted::Bug;

use super::{PREFIX_HEADER, stream_name};
use crate::{AppendOutcome, Refusal, class_name};

pub(super) async fn append(context: &Context, commit: &EncodedCommit) -> AppendOutcome {
    let answer = match context.publish_message(message(commit)).await {
        Ok(acknowledgement) => acknowledgement.await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(ack) => acknowledged(commit.prefix.sequence, &ack),
        Err(error) => refused(error.kind(), server_code(&error), &error.to_string()),
    }
}

/// `Nats-Expected-Last-Msg-Id` is deliberately not sent: a wrong value kills a replicated stream for good.
fn message(commit: &EncodedCommit) -> OutboundMessage {
    let partition = commit.prefix.partition;
    let message = PublishMessage::build()
        .payload(commit.bytes.clone())
        .header(PREFIX_HEADER, commit.prefix.to_hex().as_str())
        .message_id(commit.hash.to_string());
    let message = match planted::on(Bug::SkipExpectedSequence) {
        true => message,
        false => message.expected_last_sequence(commit.prefix.sequence - 1),
    };
    message.expected_stream(stream_name(partition)).outbound_message(format!(
        "drip.ledger.{:02}.{}",
        partition.0,
        class_name(commit.class)
    ))
}

/// A duplicate is as good as a first one: its id is the hash of these very bytes.
fn acknowledged(sequence: Sequence, ack: &PublishAck) -> AppendOutcome {
    match ack.sequence == sequence || planted::on(Bug::SkipExpectedSequence) {
        true => AppendOutcome::Stored,
        false => AppendOutcome::Fatal(format!(
            "a commit for sequence {sequence} was acknowledged at {} of {}: these bytes were appended before",
            ack.sequence, ack.stream
        )),
    }
}

/// The server's own error code, where it answered with one.
fn server_code(error: &PublishError) -> Option<u64> {
    let source = error.source()?.downcast_ref::<async_nats::jetstream::Error>()?;
    Some(source.error_code().0)
}

/// What an error means. Where it is not certain that nothing was stored, the answer is `Unknown`.
fn refused(kind: PublishErrorKind, code: Option<u64>, reason: &str) -> AppendOutcome {
    let reason = match code {
        Some(code) => format!("NATS answered: {reason} (code {code})"),
        None => format!("NATS did not take the commit: {reason}"),
    };
    match (kind, code) {
        (PublishErrorKind::WrongLastSequence, _) => AppendOutcome::Conflict,
        // No responders: no leader at the moment.
        (PublishErrorKind::StreamNotFound, _) => AppendOutcome::Refused(Refusal::Unavailable, reason),
        // Held back by the client.
        (PublishErrorKind::MaxAckPending, _) => AppendOutcome::Refused(Refusal::Full, reason),
        (PublishErrorKind::MaxPayloadExceeded | PublishErrorKind::WrongLastMessageId, _) => {
            AppendOutcome::Fatal(reason)
        }
        (PublishErrorKind::Other, Some(code)) => answered(code, reason),
        (PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe | PublishErrorKind::Other, _) => {
            AppendOutcome::Unknown(reason)
        }
    }
}

fn answered(code: u64, reason: String) -> AppendOutcome {
    match code {
        // The last sequence is another one, on the stream or on the subject.
        10071 | 10164 => AppendOutcome::Conflict,
        // Store failed, insufficient resources, account limits: of storage, of resources, too many requests.
        10077 | 10023 | 10047 | 10002 | 10167 => AppendOutcome::Refused(Refusal::Full, reason),
        // Another stream is bound to the subject, message larger than the stream takes, sealed, offline.
        10060 | 10054 | 10109 | 10118 | 10194 => AppendOutcome::Fatal(reason),
        // 10158 (our first try is still being replicated) and what is not known to us.
        _ => AppendOutcome::Unknown(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(outcome: &AppendOutcome) -> &'static str {
        match outcome {
            AppendOutcome::Stored => "stored",
            AppendOutcome::Conflict => "conflict",
            AppendOutcome::Unknown(_) => "unknown",
            AppendOutcome::Refused(Refusal::Unavailable, _) => "unavailable",
            AppendOutcome::Refused(Refusal::Full, _) => "full",
            AppendOutcome::Fatal(_) => "fatal",
        }
    }

    #[test]
    fn every_error_has_its_outcome() {
        use PublishErrorKind::{
            BrokenPipe, MaxAckPending, MaxPayloadExceeded, Other, StreamNotFound, TimedOut,
            WrongLastMessageId, WrongLastSequence,
        };
        let cases = [
            (WrongLastSequence, Some(10071), "conflict"),
            (Other, Some(10164), "conflict"),
            (Other, Some(10158), "unknown"),
            (StreamNotFound, None, "unavailable"),
            (TimedOut, None, "unknown"),
            (BrokenPipe, None, "unknown"),
            (MaxAckPending, None, "full"),
            (MaxPayloadExceeded, None, "fatal"),
            (WrongLastMessageId, Some(10070), "fatal"),
            (Other, Some(10077), "full"),
            (Other, Some(10023), "full"),
            (Other, Some(10047), "full"),
            (Other, Some(10002), "full"),
            (Other, Some(10167), "full"),
            (Other, Some(10060), "fatal"),
            (Other, Some(10054), "fatal"),
            (Other, Some(10109), "fatal"),
            (Other, Some(10118), "fatal"),
            (Other, Some(10194), "fatal"),
            (Other, Some(10008), "unknown"),
            (Other, None, "unknown"),
        ];
        for (kind, code, expected) in cases {
            assert_eq!(name(&refused(kind, code, "")), expected, "{kind:?} {code:?}");
        }
    }

    #[test]
    fn an_acknowledgement_counts_only_at_the_sequence_it_was_meant_for() {
        let ack = |sequence, duplicate| PublishAck { sequence, duplicate, ..PublishAck::default() };
        assert_eq!(name(&acknowledged(5, &ack(5, false))), "stored");
        assert_eq!(name(&acknowledged(5, &ack(5, true))), "stored");
        assert_eq!(name(&acknowledged(5, &ack(4, true))), "fatal");
        assert_eq!(name(&acknowledged(5, &ack(0, false))), "fatal");
    }
}
