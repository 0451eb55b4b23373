//! Lines as people read them: the seconds since the start at the left, amounts under each other, a bar for the balance.

use std::fmt::Write as _;
use std::path::Path;

use drip_client::{Account, Amount, Level, LogLine, Problem, Receipt};
use locus_sandbox::{Effect, Entry};

use super::line::{Charged, Line, Mail, Summary};
use crate::server::verify::Checked;

const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";
/// How wide the bar of a balance is.
const BAR: i64 = 24;
/// What stands left of a line without a time of its own.
const MARGIN: &str = "          ";
/// How many lines of a mail are shown.
const MAIL_LINES: usize = 3;

/// One or more lines, the first with the time.
pub(super) fn told(time: &str, line: &Line) -> String {
    let mut lines = match line {
        Line::Begun { .. } | Line::Next { .. } | Line::Summary(_) => return unhurried(line),
        Line::Step { number, title, about } => {
            return format!(
                "\n{DIM}{time:>8}{PLAIN}  {BOLD}{number}  {title}{PLAIN}\n{MARGIN}{DIM}{about}{PLAIN}"
            );
        }
        line => shown(line).into_iter(),
    };
    let mut text = format!("{DIM}{time:>8}{PLAIN}  {}", lines.next().unwrap_or_default());
    for line in lines {
        _ = write!(text, "\n{MARGIN}{line}");
    }
    text
}

/// What begins and ends the story.
fn unhurried(line: &Line) -> String {
    match line {
        Line::Begun { http, sandbox, data_dir, kept, scale } => {
            let stays = if *kept { "kept" } else { "removed at the end" };
            format!(
                "{BOLD}Drip: one user, one container, every cent{PLAIN}\n\
                 A whole Drip runs in this process. What you read is what it answers, while it happens.\n\
                 {DIM}Payments, containers and mails are those of a sandbox, {scale} times as fast as the world.{PLAIN}\n\n\
                 {MARGIN}drip        {http}\n{MARGIN}sandbox     {sandbox}\n{MARGIN}data        {}  ({stays})",
                data_dir.display()
            )
        }
        Line::Summary(summary) => summed_up(summary),
        Line::Next { kept } => next(kept.as_deref()),
        _ => String::new(),
    }
}

fn shown(line: &Line) -> Vec<String> {
    match line {
        Line::Account(account) => of_account(account),
        Line::Checkout(session) => vec![
            named("checkout", &format!("{} USDC, {}", session.amount, session.state)),
            named("", &format!("{DIM}{}{PLAIN}", session.url)),
        ],
        Line::Outside { entry, signed } => vec![named("provider", &outside(entry, *signed))],
        Line::Log(line) => vec![log(line)],
        Line::Calls(charged) => vec![calls(charged)],
        Line::Repeated(receipt) => vec![repeated(receipt)],
        Line::Retried(receipt) => vec![retried(receipt)],
        Line::Declined { meter, problem } => declined(meter, problem),
        Line::Asked { url, status } => vec![asked(url, *status)],
        Line::Mail(mail) => of_mail(mail),
        Line::Checked(checked) => of_check(checked),
        Line::Begun { .. } | Line::Step { .. } | Line::Summary(_) | Line::Next { .. } => vec![],
    }
}

fn named(name: &str, text: &str) -> String {
    format!("{name:<12}{text}")
}

fn of_account(account: &Account) -> Vec<String> {
    let email = account.email.as_deref().unwrap_or("no e-mail");
    let mut lines = vec![named("account", &format!("{} <{email}>, {}", account.user_id, account.status))];
    if let Some(container) = &account.container {
        lines.push(named("container", &container.phase.to_string()));
    }
    lines.push(named("balance", &balance(account.balance, account.baseline, account.level)));
    lines
}

/// The bar and the number.
fn balance(balance: Amount, baseline: Amount, level: Level) -> String {
    let (left, whole) = (balance.credits().max(0), baseline.credits().max(1));
    let full = (left.saturating_mul(BAR) / whole).min(BAR);
    // What is left is shown, however little it is.
    let full = if left > 0 { full.max(1) } else { 0 };
    let colour = of_level(level);
    let bar = |sign: &str, times: i64| sign.repeat(usize::try_from(times).unwrap_or_default());
    let bars = format!("{colour}{}{PLAIN}{DIM}{}{PLAIN}", bar("█", full), bar("░", BAR - full));
    format!("{bars} {:>6} of {baseline} USDC  {colour}{level:<9}{PLAIN}", fixed(balance))
}

fn of_level(level: Level) -> &'static str {
    match level {
        Level::Healthy => GREEN,
        Level::Low => YELLOW,
        Level::Exhausted => RED,
    }
}

/// With three decimals at least, so that amounts stand under each other; never rounded.
fn fixed(amount: Amount) -> String {
    let text = amount.to_string();
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    format!("{whole}.{fraction:0<3}")
}

fn outside(Entry { effect, .. }: &Entry, signed: bool) -> String {
    match effect {
        Effect::SessionPaid { amount, .. } => format!("{amount} USDC were paid"),
        Effect::WebhookDelivered { event, status, .. } => {
            let signed = if signed { "signed " } else { "" };
            let status = status.map_or("no answer".to_owned(), |status| status.to_string());
            format!("{signed}webhook {event} -> {status}")
        }
        other => format!("{other:?}"),
    }
}

fn log(line: &LogLine) -> String {
    let says = |words: &[&str]| words.iter().any(|word| line.message.contains(word));
    let colour = match () {
        () if says(&["depleted", "failed"]) => RED,
        () if says(&["low credit:"]) => YELLOW,
        () => CYAN,
    };
    let user = line.user_id.as_deref().unwrap_or("-");
    format!("{DIM}agent log   {}{PLAIN} {user}  {colour}{}{PLAIN}", line.at.format("%H:%M:%S"), line.message)
}

fn calls(charged: &Charged) -> String {
    let Charged { calls, meters, amount, level, .. } = charged;
    let count = if *calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
    let meters: Vec<_> = meters.iter().map(|(meter, times)| format!("{meter} {times}")).collect();
    let bar = balance(charged.balance, charged.baseline, *level);
    format!("{count:<10}{:>7}  {bar}  {DIM}{}{PLAIN}", format!("-{}", fixed(*amount)), meters.join(", "))
}

fn repeated(receipt: &Receipt) -> String {
    let told = if receipt.duplicate { "charged once" } else { "CHARGED AGAIN" };
    format!(
        "{:<10}{:>7}  sent again with its key: {told}, balance {}",
        "same call",
        "",
        fixed(receipt.balance)
    )
}

fn retried(receipt: &Receipt) -> String {
    let meter = receipt.meter.as_deref().unwrap_or_default();
    let (amount, left) = (fixed(receipt.amount), fixed(receipt.balance));
    format!(
        "{:<10}{:>7}  the declined {meter}, with the key it had; balance {left}",
        "1 call",
        format!("-{amount}")
    )
}

fn declined(meter: &str, problem: &Problem) -> Vec<String> {
    let mut lines = vec![format!("{RED}{BOLD}{} {}{PLAIN}  {meter}", problem.status, problem.code)];
    let amounts =
        [("needed", problem.needed), ("available", problem.available), ("to top up", problem.shortfall)];
    let amounts = amounts.into_iter().filter_map(|(name, amount)| Some((name, amount?)));
    lines.extend(amounts.map(|(name, amount)| named(name, &format!("{:>6} USDC", fixed(amount)))));
    lines
}

fn asked(url: &str, status: u16) -> String {
    let colour = if status == 200 { GREEN } else { YELLOW };
    named("container", &format!("GET {url} -> {colour}{status}{PLAIN}"))
}

fn of_mail(mail: &Mail) -> Vec<String> {
    let mut lines = vec![named("mail", &format!("to {}: {BOLD}{}{PLAIN}", mail.to.join(", "), mail.subject))];
    let text = mail.text.lines().filter(|line| !line.trim().is_empty());
    lines.extend(text.take(MAIL_LINES).map(|line| named("", &format!("{DIM}|{PLAIN} {line}"))));
    lines
}

fn of_check(checked: &Checked) -> Vec<String> {
    let Checked { events, commits, rules, debits, paid_in, given, spent, held, tables, rows, .. } = checked;
    let found = match &checked.finding {
        None => format!("{GREEN}{BOLD}Nothing wrong was found.{PLAIN}"),
        Some(finding) => format!("{RED}{BOLD}{finding}{PLAIN}"),
    };
    vec![
        named("log", &format!("{events} events in {commits} commits, each held against {rules} rules")),
        named("views", &format!("{rows} rows of {tables} tables, each compared with the log")),
        named(
            "money",
            &format!(
                "{paid_in} paid in + {given} given - {spent} spent by {debits} debits = {held} USDC held"
            ),
        ),
        found,
    ]
}

fn summed_up(summary: &Summary) -> String {
    let Summary { calls, spent, declined, mails, asleep_millis, effects } = summary;
    let (seconds, tenths) = (asleep_millis / 1_000, asleep_millis % 1_000 / 100);
    let all: u64 = effects.values().sum();
    let mut text = format!(
        "\n{MARGIN}{BOLD}In short{PLAIN}\n\
         {MARGIN}calls       {calls} charged, {spent} USDC; {declined} declined\n\
         {MARGIN}mails       {mails}\n\
         {MARGIN}hibernated  for {seconds}.{tenths} s\n\
         {MARGIN}outside     {all} effects at the sandbox"
    );
    for (index, (kind, times)) in effects.iter().enumerate() {
        let lead = if index % 4 == 0 { format!("\n{MARGIN}{:12}", "") } else { ", ".to_owned() };
        _ = write!(text, "{DIM}{lead}{} {times}{PLAIN}", kind.replace('_', " "));
    }
    text
}

fn next(kept: Option<&Path>) -> String {
    let mut text = format!("\n{MARGIN}{BOLD}Next{PLAIN}\n");
    let mut line = |command: &str, what: &str| _ = writeln!(text, "{MARGIN}{command:<26}{what}");
    if let Some(dir) = kept {
        let dir = dir.display();
        line("look at it again", &format!("drip verify --data-dir {dir}; drip events --data-dir {dir}"));
    }
    line("drip up", "start a Drip of your own; http://127.0.0.1:8377/ shows it");
    line("docs/using.md", "charge from your product: HTTP, NATS, the Rust client");
    line("docs/containers.md", "containers, checkout sessions, mails");
    line("docs/deploying.md", "on NATS and Postgres, each role its own container");
    text.trim_end().to_owned()
}
