//! Which column says what, and what a row asks for.

use drip_client::{Debit, Decimal, Item, SourceDebit};
use ledger_core::charge;
use ledger_core::{Label, Meter, Scope, UserId};

use super::sheet::Record;
use super::time;

/// A column of quantities, and the price of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) column: String,
    pub(super) unit_price: charge::UnitPrice,
}

/// Who pays for a row.
#[derive(Debug, Clone)]
pub(super) enum Payer {
    /// The user in this column.
    Column(String),
    /// Row i, from 0, is user `<prefix><i mod users>`'s.
    Spread { users: u64, prefix: String },
}

/// What the columns of a file mean, by their names.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) prices: Vec<Price>,
    pub(super) payer: Payer,
    pub(super) time: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) meter: Meter,
}

/// The same, by their places in one file.
#[derive(Debug)]
pub(super) struct Layout {
    columns: Columns,
    header: Vec<String>,
    prices: Vec<usize>,
    payer: Option<usize>,
    time: Option<usize>,
    scope: Option<usize>,
}

/// A row that can be charged for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) debit: SourceDebit,
    /// Its exact total is zero: the ledger declines it, for there is nothing to pay.
    pub(super) free: bool,
    /// At least as many bytes as its JSON has.
    pub(super) weight: usize,
}

impl Layout {
    /// Finds the columns. Error: a sentence about the one that is missing.
    pub(super) fn new(columns: Columns, header: &[String]) -> Result<Self, String> {
        let find = |name: &String| find(header, name);
        let payer = match &columns.payer {
            Payer::Column(name) => Some(find(name)?),
            Payer::Spread { .. } => None,
        };
        Ok(Self {
            prices: columns.prices.iter().map(|price| find(&price.column)).collect::<Result<_, _>>()?,
            payer,
            time: columns.time.as_ref().map(find).transpose()?,
            scope: columns.scope.as_ref().map(find).transpose()?,
            header: header.to_vec(),
            columns,
        })
    }

    /// What a row asks for. Error: why it can not be used, naming the column.
    pub(super) fn row(&self, record: &Record) -> Result<Row, String> {
        if record.len() != self.header.len() {
            return Err(format!("has {} fields, the header has {}", record.len(), self.header.len()));
        }
        let items = self.items(record)?;
        let user = self.user(record)?;
        let occurred_at =
            self.time.map(|at| self.parse(record, at, |text| time::parse(text).ok_or(time::RULE)));
        let scope = self.scope.filter(|at| record.bytes(*at) != Some(b""));
        let scope = scope.map(|at| self.parse(record, at, Scope::new)).transpose()?;
        let free = items.iter().all(|item| item.atto() == 0);
        let debit = Debit {
            items: items.iter().map(sent).collect(),
            meter: Some(self.columns.meter.to_string()),
            scope: scope.map(Into::into),
            occurred_at: occurred_at.transpose()?,
            ..Debit::default()
        };
        let weight = weight(&user, &debit);
        Ok(Row { debit: SourceDebit { number: record.number, user_id: user.into(), debit }, free, weight })
    }

    /// Who pays for a row.
    pub(super) fn user(&self, record: &Record) -> Result<UserId, String> {
        match (&self.columns.payer, self.payer) {
            (_, Some(at)) => self.parse(record, at, UserId::new),
            (Payer::Spread { users, prefix }, None) => {
                let user = format!("{prefix}{}", (record.number - 1) % users);
                UserId::new(&user).map_err(|error| error.to_string())
            }
            (Payer::Column(_), None) => unreachable!("a layout has found the column of its payer"),
        }
    }

    fn items(&self, record: &Record) -> Result<Vec<charge::Item>, String> {
        let item = |(price, at): (&Price, &usize)| {
            let quantity = self.parse(record, *at, |text| charge::Quantity::parse(text.trim_matches(' ')))?;
            let name = Label::new(&price.column).map_err(|error| error.to_string())?;
            Ok(charge::Item { name, quantity, unit_price: price.unit_price })
        };
        self.columns.prices.iter().zip(&self.prices).map(item).collect()
    }

    fn parse<T, E: ToString>(
        &self,
        record: &Record,
        at: usize,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, String> {
        let name = &self.header[at];
        let text = record.text(at).ok_or_else(|| format!("{name}: is not UTF-8 text"))?;
        parse(text).map_err(|error| format!("{name}: {} {}", quoted(text), error.to_string()))
    }
}

fn find(header: &[String], name: &String) -> Result<usize, String> {
    let mut places = header.iter().enumerate().filter(|(_, column)| *column == name);
    match (places.next(), places.next()) {
        (Some((at, _)), None) => Ok(at),
        (Some(_), Some(_)) => Err(format!("the column \"{name}\" stands there more than once")),
        (None, _) if header.is_empty() => {
            Err("the file is empty: its first line must name the columns".to_owned())
        }
        (None, _) => Err(format!("there is no column \"{name}\"; there are: {}", header.join(", "))),
    }
}

fn sent(item: &charge::Item) -> Item {
    let decimal =
        |text: String| text.parse::<Decimal>().expect("the ledger's numbers print as plain decimals");
    Item {
        name: item.name.to_string(),
        quantity: decimal(item.quantity.to_string()),
        unit_price: decimal(item.unit_price.to_string()),
    }
}

/// Names hold no control characters, so JSON doubles their bytes at the most.
fn weight(user: &UserId, debit: &Debit) -> usize {
    let names: usize = debit.items.iter().map(|item| 2 * item.name.len() + 100).sum();
    let meter = debit.meter.as_ref().map_or(0, String::len);
    let scope = debit.scope.as_ref().map_or(0, String::len);
    2 * (user.as_str().len() + meter + scope) + names + 200
}

/// The text in quotes, as much of it as a line has room for.
fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(40).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::import::sheet::Sheet;

    const HEADER: &str = "at,who,In,Out,where\n";

    fn columns() -> Columns {
        let price = |column: &str, price: &str| Price {
            column: column.into(),
            unit_price: charge::UnitPrice::parse(price).unwrap(),
        };
        Columns {
            prices: vec![price("In", "0.0000025"), price("Out", "0.00001")],
            payer: Payer::Column("who".into()),
            time: Some("at".into()),
            scope: Some("where".into()),
            meter: Meter::new("calls").unwrap(),
        }
    }

    fn read(columns: Columns, row: &[u8]) -> Result<Row, String> {
        let bytes = [HEADER.as_bytes(), row].concat();
        let mut sheet = Sheet::open(bytes.as_slice(), b',').unwrap();
        let layout = Layout::new(columns, sheet.header()).unwrap();
        layout.row(&sheet.read().unwrap().unwrap())
    }

    #[test]
    fn a_row_becomes_an_item_of_its_source() {
        let row = read(columns(), b"2023-11-16 18:17:03.9799600,anna, 4808 ,10.50,\"agent:a\"\r\n").unwrap();
        let wanted = serde_json::json!({"number": 1, "user_id": "anna", "meter": "calls", "scope": "agent:a",
            "occurred_at": "2023-11-16T18:17:03.979960Z",
            "items": [{"name": "In", "quantity": "4808", "unit_price": "0.0000025"},
                {"name": "Out", "quantity": "10.5", "unit_price": "0.00001"}]});
        let sent = serde_json::to_value(&row.debit).unwrap();
        assert_eq!(sent, wanted);
        assert!(!row.free && row.weight >= sent.to_string().len());
        assert!(read(columns(), b"1,anna,0,0.0,\n").unwrap().free);
    }

    #[test]
    fn a_row_that_can_not_be_used_says_why() {
        for (row, reason) in [
            ("1,anna,5,6\n", "has 4 fields, the header has 5"),
            ("1,anna,5,6,,\n", "has 6 fields, the header has 5"),
            ("1,anna,five,6,\n", "In: \"five\" must be a plain decimal number"),
            ("1,anna,5,,\n", "Out: \"\" must be a plain decimal number"),
            ("1,anna,-5,6,\n", "In: \"-5\" must not be negative"),
            ("1,anna,1e3,6,\n", "In: \"1e3\" must be a plain"),
            ("1,anna,5,0.0000001,\n", "Out: \"0.0000001\" has more than 6 decimals"),
            ("1,anna,1000000001,6,\n", "In: \"1000000001\" is too large"),
            ("1,anna,NaN,6,\n", "In: \"NaN\" must be"),
            ("1,,5,6,\n", "who: \"\" user id must not be empty"),
            ("1,$fee,5,6,\n", "who: \"$fee\" user id must not begin with '$'"),
            ("yesterday,anna,5,6,\n", "at: \"yesterday\" must be RFC 3339"),
            ("1,\"an\u{7}na\",5,6,\n", "who: \"an\\u{7}na\" user id must not contain control"),
        ] {
            let error = read(columns(), row.as_bytes()).unwrap_err();
            assert!(error.starts_with(reason), "{row}: {error}");
        }
        assert_eq!(read(columns(), b"1,an\xffna,5,6,\n").unwrap_err(), "who: is not UTF-8 text");
        let long = read(columns(), format!("1,anna,{},6,\n", "9x".repeat(50)).as_bytes()).unwrap_err();
        assert!(long.contains("9x9x…\" must be"), "{long}");
    }

    #[test]
    fn rows_are_spread_over_users_by_their_number_from_zero() {
        let payer = Payer::Spread { users: 3, prefix: "user-".into() };
        let text = format!("{HEADER}1,,1,1,\n1,,bad,1,\n1,,1,1,\n1,,1,1,\n");
        let mut sheet = Sheet::open(text.as_bytes(), b',').unwrap();
        let layout = Layout::new(Columns { payer, ..columns() }, sheet.header()).unwrap();
        let mut users = Vec::new();
        while let Some(record) = sheet.read().unwrap() {
            users.push(layout.row(&record).map_or("bad".into(), |row| row.debit.user_id));
        }
        assert_eq!(users, ["user-0", "bad", "user-2", "user-0"]);
    }

    #[test]
    fn a_missing_column_is_told_with_those_there_are() {
        let header = ["at", "who", "In"].map(str::to_owned);
        let error = Layout::new(columns(), &header).unwrap_err();
        assert_eq!(error, "there is no column \"Out\"; there are: at, who, In");
        assert!(Layout::new(columns(), &[]).unwrap_err().contains("empty"));
        let twice = ["at", "who", "In", "Out", "In", "where"].map(str::to_owned);
        assert_eq!(
            Layout::new(columns(), &twice).unwrap_err(),
            "the column \"In\" stands there more than once"
        );
    }
}
