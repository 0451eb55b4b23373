//! The clients against a server that answers as it is told, to the wire.

mod build;
mod mail;
mod pay;
mod refusals;
mod repeats;
mod secrets;
mod server;
mod tokens;

use std::time::Duration;

use locus::{Build, LocusKey, Mail, MailKey, Pay, Timing};
use server::Server;

const LOCUS_KEY: &str = "claw_dev_0123456789";
const MAIL_KEY: &str = "am_0123456789";

/// As in production, except that nobody waits.
fn timing() -> Timing {
    Timing { pauses: vec![Duration::from_millis(1); 3], ..Timing::default() }
}

fn pay_in(server: &Server, timing: Timing) -> Pay {
    let key = LocusKey::parse(LOCUS_KEY).expect("it is a key");
    Pay::new(locus::pay::Config { base: server.url("/api"), key, timing }).expect("it is a URL")
}

fn pay(server: &Server) -> Pay {
    pay_in(server, timing())
}

fn build_in(server: &Server, timing: Timing) -> Build {
    let key = LocusKey::parse(LOCUS_KEY).expect("it is a key");
    Build::new(locus::build::Config { base: server.url(""), key, timing }).expect("it is a URL")
}

fn build(server: &Server) -> Build {
    build_in(server, timing())
}

fn mail(server: &Server) -> Mail {
    let key = MailKey::parse(MAIL_KEY).expect("it is a key");
    Mail::new(locus::mail::Config { base: server.url("/v0"), key, timing: timing() }).expect("it is a URL")
}
