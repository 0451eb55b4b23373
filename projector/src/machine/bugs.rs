//! What the projector does wrong where a bug is planted in it. Nothing of it is in what is shipped: see crate `planted`.

use planted::Bug;

use crate::error::Error;
use crate::store::Applied;

/// An answer of the store, as it is heard.
pub(super) fn heard(answer: Result<Applied, Error>) -> Result<Applied, Error> {
    match answer {
        Ok(Applied::Elsewhere) if planted::on(Bug::ElsewhereIsHere) => Ok(Applied::Here),
        Err(_) if planted::on(Bug::LostAnswerIsHere) => Ok(Applied::Here),
        answer => answer,
    }
}
