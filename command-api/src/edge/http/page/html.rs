//! What the page looks like. Whatever is not written here is escaped.

use std::fmt::{self, Display, Write as _};

use ledger_core::Usdc;
use projector::{AccountRow, JournalRow};
use serde::Serialize;

use crate::edge::dto::upkeep::{LogBody, LogPage};
use crate::edge::time::to_rfc3339;
use crate::edge::verbs::page::{Accounts, Chosen};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// All that is shown.
pub(super) struct View<'a> {
    pub(super) app: &'a str,
    pub(super) accounts: &'a Accounts,
    pub(super) chosen: Option<&'a Chosen>,
    pub(super) log: &'a LogPage,
}

/// A text in which nothing means anything to a browser.
struct Escaped<T>(T);

impl<T: Display> Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A text as a value in a query.
struct InQuery<'a>(&'a str);

impl Display for InQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    f.write_char(char::from(byte))?
                }
                byte => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}

/// The word that JSON has for it.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

fn document(title: &str, head: &str, nonce: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{}</title><style nonce=\"{nonce}\">{STYLE}</style>{head}</head>\
         <body>{body}</body></html>\n",
        Escaped(title)
    )
}

/// The form that asks for the key; where the page is not open it says what is missing.
pub(super) fn login(open: bool, refused: Option<&str>, nonce: &str) -> String {
    let refused = refused.map(|text| format!("<p class=\"bad\">{}</p>", Escaped(text))).unwrap_or_default();
    let form = match open {
        // A password manager keeps the key under the name in the field that nobody sees.
        true => {
            "<form method=\"post\" action=\"/login\"><input name=\"name\" value=\"Drip\" autocomplete=\"username\" \
                 hidden><label>API key <input type=\"password\" name=\"key\" \
                 autocomplete=\"current-password\" required autofocus></label> <button>Look</button></form>"
        }
        false => {
            "<p>This page needs a key of the house to know you again by: set DRIP_SECRET_KEY and start Drip anew.</p>"
        }
    };
    let body = format!("<main><h1>Drip</h1>{refused}{form}<p><a href=\"/docs\">The endpoints</a></p></main>");
    document("Drip", "", nonce, &body)
}

/// The whole page.
pub(super) fn page(view: &View<'_>, nonce: &str) -> String {
    // Who has no script reads the page again; who has one is told what changes.
    let head = "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>";
    let body = format!(
        "<main data-last=\"{last}\"><header><h1>Drip: {app}</h1><form method=\"post\" action=\"/logout\">\
         <button>Log out</button></form></header>\
         <p id=\"lost\" class=\"bad\" role=\"status\" hidden>The connection is lost: what stands here may be old.</p>\
         <section><h2>Accounts</h2>{choose}<div id=\"accounts\">{accounts}</div></section>\
         <section id=\"journal\">{journal}</section>\
         <section><h2>Log</h2><ol id=\"log\">{log}</ol></section></main><script nonce=\"{nonce}\">{SCRIPT}</script>",
        last = Escaped(&view.log.last_id),
        app = Escaped(view.app),
        choose = "<form method=\"get\" action=\"/\"><label>User <input name=\"user\"></label> <button>Show</button></form>",
        accounts = accounts(view.accounts),
        journal = view.chosen.map(journal).unwrap_or_default(),
        log = lines(&view.log.data),
    );
    document(&format!("Drip: {}", view.app), head, nonce, &body)
}

/// The table of accounts.
pub(super) fn accounts(accounts: &Accounts) -> String {
    if accounts.rows.is_empty() {
        return "<p>There are none.</p>".to_owned();
    }
    let next =
        accounts.next.as_deref().map(|last| format!("<p><a href=\"/?after={}\">More</a></p>", InQuery(last)));
    let table =
        table(&["User", "Balance", "Level", "Status", "Container"], accounts.rows.iter().map(account));
    table + &next.unwrap_or_default()
}

fn account(row: &AccountRow) -> String {
    let user = row.account.user.as_str();
    let (level, status) = (word(&row.level), word(&row.status()));
    let container = row.container.map(|container| word(&container.phase)).unwrap_or_default();
    format!(
        "<tr><td><a href=\"/?user={}\">{}</a></td><td class=\"number\">{}</td><td class=\"{level}\">{level}</td>\
         <td class=\"{status}\">{status}</td><td>{container}</td></tr>",
        InQuery(user),
        Escaped(user),
        row.balance,
    )
}

/// The newest of one account.
pub(super) fn journal(chosen: &Chosen) -> String {
    let title = format!("<h2>Journal of {}</h2>", Escaped(&chosen.user));
    if chosen.rows.is_empty() {
        return title + "<p>There is no such user.</p>";
    }
    let rows = chosen.rows.iter().map(journal_row);
    title + &table(&["Recorded", "What", "Amount", "Balance", "About"], rows)
}

fn journal_row(row: &JournalRow) -> String {
    let amount = if row.amount == Usdc::ZERO { String::new() } else { row.amount.to_string() };
    let meter = row.meter.as_ref().map(ToString::to_string);
    let about = [meter, row.line.as_ref().map(word), row.code.map(|code| code.to_string())];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" ");
    format!(
        "<tr><td>{}</td><td>{}</td><td class=\"number\">{amount}</td><td class=\"number\">{}</td><td>{}</td></tr>",
        moment(&to_rfc3339(row.recorded_at)),
        word(&row.kind),
        row.balance,
        Escaped(about),
    )
}

/// Lines of the agent log, the newest first.
pub(super) fn lines(lines: &[LogBody]) -> String {
    lines.iter().rev().map(line).collect()
}

fn line(line: &LogBody) -> String {
    let user = line.user_id.as_ref().map(|user| user.as_str()).unwrap_or_default();
    let says = |words: &[&str]| words.iter().any(|word| line.message.contains(word));
    let bad = says(&["depleted", "failed", "will not be sent", "waits for a person"]);
    let class = if bad { " class=\"bad\"" } else { "" };
    let (at, user, message) = (moment(&line.at), Escaped(user), Escaped(&line.message));
    format!("<li{class}>{at} <b>{user}</b> {message}</li>")
}

/// To the second, which is what people read; the rest is told to who points at it.
fn moment(at: &str) -> String {
    let second = at.trim_end_matches('Z').split('.').next().unwrap_or(at).replace('T', " ");
    format!(
        "<time datetime=\"{at}\" title=\"{at}\">{second}Z</time>",
        at = Escaped(at),
        second = Escaped(second)
    )
}

fn table(header: &[&str], rows: impl Iterator<Item = String>) -> String {
    let mut text = "<table><thead><tr>".to_owned();
    header.iter().for_each(|name| text += &heading(name));
    text += "</tr></thead><tbody>";
    rows.for_each(|row| text += &row);
    text + "</tbody></table>"
}

/// Above its column: what stands above numbers stands to the right as they do.
fn heading(name: &str) -> String {
    match name {
        "Amount" | "Balance" => format!("<th class=\"number\">{name}</th>"),
        name => format!("<th>{name}</th>"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_to_the_second() {
        for at in ["2026-11-27T21:35:53Z", "2026-11-27T21:35:53.94435Z"] {
            assert!(moment(at).ends_with(&format!("title=\"{at}\">2026-11-27 21:35:53Z</time>")));
        }
    }

    #[test]
    fn nothing_in_a_text_means_anything_to_a_browser() {
        let text = Escaped("<script>\"&'</script>").to_string();
        assert_eq!(text, "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;");
        assert_eq!(InQuery("a b&c=\"<ä>").to_string(), "a%20b%26c%3D%22%3C%C3%A4%3E");
        // What stands in the page itself must not end its element.
        assert!(!SCRIPT.contains("</") && !STYLE.contains("</"));
    }
}
