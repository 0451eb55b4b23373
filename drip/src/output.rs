//! Data on stdout: tables for people, JSON for programs. Everything else a command has to say goes to stderr.

use std::io::{BufWriter, Write};

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::failure::Failure;

/// How data is printed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Prints one thing: a JSON object, or its name-and-value pairs.
    pub(crate) fn object<T: Serialize>(
        self,
        value: &T,
        pairs: impl FnOnce(&T) -> Vec<(&'static str, String)>,
    ) -> Result<(), Failure> {
        if self.json {
            return self.lines(std::slice::from_ref(value));
        }
        let mut table = plain();
        for (name, text) in pairs(value) {
            table.add_row([name.to_owned(), text]);
        }
        print(&table)
    }

    /// Prints a list: a JSON object a line, or a table. Columns whose name begins with `>` stand to the right.
    pub(crate) fn list<T: Serialize, const N: usize>(
        self,
        rows: &[T],
        header: [&str; N],
        cells: impl Fn(&T) -> [String; N],
    ) -> Result<(), Failure> {
        if self.json {
            return self.lines(rows);
        }
        let mut table = plain();
        table.set_header(header.map(|name| name.trim_start_matches('>')));
        for row in rows {
            table.add_row(cells(row));
        }
        for (index, name) in header.iter().enumerate() {
            if let (true, Some(column)) = (name.starts_with('>'), table.column_mut(index)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        print(&table)
    }

    /// Prints one line of text; colours only where they are shown.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        let mut out = anstream::stdout().lock();
        writeln!(out, "{text}")?;
        Ok(out.flush()?)
    }

    /// Prints a JSON object a line.
    pub(crate) fn lines<T: Serialize>(self, rows: &[T]) -> Result<(), Failure> {
        let mut out = BufWriter::new(std::io::stdout().lock());
        for row in rows {
            let text = serde_json::to_string(row).expect("answers hold only text, numbers and named fields");
            writeln!(out, "{text}")?;
        }
        Ok(out.flush()?)
    }
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn print(table: &Table) -> Result<(), Failure> {
    let mut out = BufWriter::new(std::io::stdout().lock());
    for line in table.lines() {
        // The style without borders still has the space beside them.
        writeln!(out, "{}", line.strip_prefix(' ').unwrap_or(&line).trim_end())?;
    }
    Ok(out.flush()?)
}

/// The text of what may be absent.
pub(crate) fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}
