//! Changes a database file behind Drip's back.

use std::path::Path;
use std::process::Command;

use crate::ask::said;

/// Runs one statement, which must touch something.
pub(crate) async fn damage(file: &Path, sql: &str) {
    let script = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); assert c.execute(sys.argv[2]).rowcount; c.commit()";
    let mut python = Command::new("python3");
    python.args(["-c", script]).arg(file).arg(sql);
    said(python).await.expect(0);
}
