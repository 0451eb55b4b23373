//! The switch at run time.

use std::cell::Cell;
use std::sync::OnceLock;

use crate::{Bug, VARIABLE};

thread_local! {
    static HERE: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// As long as it lives, this bug is on in the thread that planted it.
#[derive(Debug)]
#[must_use = "the bug is on only as long as this lives"]
pub struct Planted(());

/// Turns a bug on in this thread.
pub fn plant(bug: Bug) -> Planted {
    HERE.set(Some(bug));
    Planted(())
}

impl Drop for Planted {
    fn drop(&mut self) {
        HERE.set(None);
    }
}

/// This bug is on.
#[must_use]
pub fn on(bug: Bug) -> bool {
    HERE.get().or_else(of_process) == Some(bug)
}

/// The one of the environment. A name that is none is our own mistake: a hunt for nothing would find nothing.
fn of_process() -> Option<Bug> {
    static OF_PROCESS: OnceLock<Option<Bug>> = OnceLock::new();
    *OF_PROCESS.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        Some(Bug::named(&name).unwrap_or_else(|| panic!("{VARIABLE}={name}: there is no such bug")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bug_is_on_where_it_was_planted_and_as_long_as_it_is() {
        assert!(!on(Bug::LaxSqlite));
        let planted = plant(Bug::LaxSqlite);
        assert!(on(Bug::LaxSqlite) && !on(Bug::PositionApart));
        std::thread::spawn(|| assert!(!on(Bug::LaxSqlite))).join().expect("it looks only");
        drop(planted);
        assert!(!on(Bug::LaxSqlite));
    }
}
