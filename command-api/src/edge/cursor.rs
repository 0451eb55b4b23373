//! Cursors: where a list goes on. Opaque to callers, and bound to the list that gave them out.

use crate::edge::problem::{EdgeCode, Problem};

/// Which list a cursor belongs to, and the version of what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// Accounts after a user id.
    Accounts,
    /// Journal rows beyond a position, newest first.
    JournalNewest,
    /// Journal rows beyond a position, oldest first.
    JournalOldest,
    /// Declines of a source after a number.
    Declines,
    /// The agent log behind places.
    Log,
}

impl List {
    fn tag(self) -> &'static str {
        match self {
            Self::Accounts => "1a:",
            Self::JournalNewest => "1n:",
            Self::JournalOldest => "1o:",
            Self::Declines => "1d:",
            Self::Log => "1l:",
        }
    }
}

/// The cursor for going on after `last` in this list.
pub(super) fn encode(list: List, last: &str) -> String {
    hex::encode(format!("{}{last}", list.tag()))
}

/// What the cursor says: the last thing that was shown. Problem: it is not a cursor of this list.
pub(super) fn decode(list: List, cursor: &str) -> Result<String, Problem> {
    let text = hex::decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let last = text.as_deref().and_then(|text| text.strip_prefix(list.tag()));
    last.map(str::to_owned).ok_or_else(invalid)
}

/// The cursor is not one that this list gave out.
pub(super) fn invalid() -> Problem {
    Problem::new(EdgeCode::InvalidCursor, EdgeCode::InvalidCursor.title()).at("cursor")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_own_list_only() {
        for last in ["anna", "🦀 {x}/y", ""] {
            let cursor = encode(List::Accounts, last);
            assert_eq!(decode(List::Accounts, &cursor).unwrap(), last);
            assert_eq!(decode(List::Declines, &cursor), Err(invalid()));
        }
        for bad in ["", "x", "31", "ff", "anna", "31613"] {
            assert_eq!(decode(List::Accounts, bad), Err(invalid()), "{bad}");
        }
    }
}
