//! A delta as columns: what the statements of [`crate::writes`] are fed with, in both stores.

use std::borrow::Cow;

use ledger_core::{Position, Timestamp};

use crate::store::big;

/// One column of some rows.
#[derive(Debug)]
pub(crate) enum Column<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    Int(Vec<Option<i64>>),
    Flag(Vec<Option<bool>>),
    Time(Vec<Option<Timestamp>>),
}

/// Rows on their way into a table, column by column.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) len: usize,
    pub(crate) columns: Vec<(&'static str, Column<'a>)>,
}

/// Makes [`Rows`] of items, a column a call.
pub(crate) struct RowsOf<'a, T> {
    items: Vec<T>,
    columns: Vec<(&'static str, Column<'a>)>,
}

impl<'a, T> RowsOf<'a, T> {
    pub(crate) fn new(items: impl IntoIterator<Item = T>) -> Self {
        Self { items: items.into_iter().collect(), columns: Vec::new() }
    }

    pub(crate) fn done(self) -> Rows<'a> {
        Rows { len: self.items.len(), columns: self.columns }
    }

    fn add(mut self, name: &'static str, column: impl FnOnce(&[T]) -> Column<'a>) -> Self {
        self.columns.push((name, column(&self.items)));
        self
    }

    pub(crate) fn text(self, name: &'static str, of: impl Fn(&T) -> &'a str) -> Self {
        self.opt_text(name, |item| Some(Cow::Borrowed(of(item))))
    }

    pub(crate) fn opt_text(self, name: &'static str, of: impl Fn(&T) -> Option<Cow<'a, str>>) -> Self {
        self.add(name, |items| Column::Text(items.iter().map(of).collect()))
    }

    pub(crate) fn int(self, name: &'static str, of: impl Fn(&T) -> i64) -> Self {
        self.opt_int(name, |item| Some(of(item)))
    }

    pub(crate) fn opt_int(self, name: &'static str, of: impl Fn(&T) -> Option<i64>) -> Self {
        self.add(name, |items| Column::Int(items.iter().map(of).collect()))
    }

    pub(crate) fn opt_flag(self, name: &'static str, of: impl Fn(&T) -> Option<bool>) -> Self {
        self.add(name, |items| Column::Flag(items.iter().map(of).collect()))
    }

    pub(crate) fn opt_time(self, name: &'static str, of: impl Fn(&T) -> Option<Timestamp>) -> Self {
        self.add(name, |items| Column::Time(items.iter().map(of).collect()))
    }

    /// The three columns of a position that may be absent.
    pub(crate) fn opt_position(self, names: [&'static str; 3], of: impl Fn(&T) -> Option<Position>) -> Self {
        let [partition, sequence, index] = names;
        self.opt_int(partition, |item| of(item).map(|at| at.partition.0.into()))
            .opt_int(sequence, |item| of(item).map(|at| big(at.sequence)))
            .opt_int(index, |item| of(item).map(|at| at.index.into()))
    }

    /// The three columns of a position.
    pub(crate) fn position(self, names: [&'static str; 3], of: impl Fn(&T) -> Position) -> Self {
        let [partition, sequence, index] = names;
        self.int(partition, |item| of(item).partition.0.into())
            .int(sequence, |item| big(of(item).sequence))
            .int(index, |item| of(item).index.into())
    }
}
