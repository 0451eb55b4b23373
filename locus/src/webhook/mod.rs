//! What the services send by themselves: whether it is really theirs, and what it says.
//!
//! A signature is checked over the body as it was received, byte for byte, and before anything in it is believed.

mod checkout;
mod svix;

pub use checkout::{CheckoutEvent, CheckoutEventKind, OtherHeaders, parse_checkout, verify_checkout};
pub use svix::{TOLERANCE_SECONDS, verify_svix};

/// Why a delivery is not believed. Answer it 401 and do nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// There is no secret to check with: an empty one would let anybody sign.
    #[error("there is no secret to check the signature with, or it is none of this service's")]
    NoSecret,
    /// A header is missing.
    #[error("the header {0} is missing")]
    MissingHeader(&'static str),
    /// A header can not be read.
    #[error("the header {0} can not be read")]
    MalformedHeader(&'static str),
    /// The signature is not that of this body under this secret.
    #[error("the signature is not that of this body")]
    Mismatch,
    /// It was signed too long ago, or in the future.
    #[error("it was signed {0} seconds away from now")]
    Stale(i64),
}

/// A body that is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is no JSON object")]
pub struct NoEvent;
