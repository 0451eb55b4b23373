//! Everything the sandbox knows, and how it is reached: one turn at a time, after what is due by now has happened.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::build::Build;
use crate::clock::{Clock, Time};
use crate::config::{Config, Switches};
use crate::faults::Faults;
use crate::ids::Ids;
use crate::mail::Mail;
use crate::pay::Pay;
use crate::record::{Effect, Record, Service};
use crate::timers::{Timer, Timers};
use crate::webhooks::Delivery;

/// Everything that is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Store {
    /// How far the clock was when this was saved.
    pub(crate) saved_at: Time,
    pub(crate) ids: Ids,
    pub(crate) switches: Switches,
    pub(crate) pay: Pay,
    pub(crate) build: Build,
    pub(crate) mail: Mail,
    pub(crate) faults: Faults,
    pub(crate) record: Record,
    pub(crate) timers: Timers,
    /// Webhooks that are due and not yet on their way.
    pub(crate) outbox: Vec<Delivery>,
    /// Webhooks that were sent and not yet answered: a sandbox that stops meanwhile sends them again.
    pub(crate) under_way: Vec<Delivery>,
}

impl Store {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            saved_at: config.starts_at,
            ids: Ids::new(config.seed),
            switches: config.switches,
            pay: Pay::new(&config.funds),
            build: Build::new(&config.funds),
            mail: Mail::new(config),
            faults: Faults::default(),
            record: Record::default(),
            timers: Timers::default(),
            outbox: vec![],
            under_way: vec![],
        }
    }
}

/// What all tasks of a sandbox share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    /// Where the services are answered: `http://127.0.0.1:4100`.
    pub(crate) public_url: String,
    /// Where orders are taken.
    pub(crate) control_url: String,
    pub(crate) client: reqwest::Client,
    pub(crate) clock: Clock,
    store: Mutex<Store>,
    /// Counts changes.
    changes: watch::Sender<u64>,
    /// How many changes the state file is sure to hold.
    pub(crate) saved: watch::Sender<u64>,
    /// Two savers at once would write into one file.
    pub(crate) saving: Mutex<()>,
}

impl Shared {
    pub(crate) fn new(config: Config, urls: [String; 2], client: reqwest::Client, store: Store) -> Self {
        let [public_url, control_url] = urls;
        let clock = Clock::new(store.saved_at.max(config.starts_at), config.scale);
        let [changes, saved] = [0, 0].map(watch::Sender::new);
        let (store, saving) = (Mutex::new(store), Mutex::default());
        Self { config, public_url, control_url, client, clock, store, changes, saved, saving }
    }

    /// A turn that may change anything.
    pub(crate) fn turn<T>(&self, act: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let (result, _) = self.with(act);
        self.changes.send_modify(|changes| *changes += 1);
        result
    }

    /// A turn that only reads, but for what was due.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut Turn<'_>) -> T) -> T {
        let (result, settled) = self.with(look);
        if settled {
            self.changes.send_modify(|changes| *changes += 1);
        }
        result
    }

    /// Tells of every change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn state_file(&self) -> Option<&PathBuf> {
        self.config.state_file.as_ref()
    }

    /// Nothing here panics between two states that belong together, so a poisoned lock is taken as it is.
    fn with<T>(&self, act: impl FnOnce(&mut Turn<'_>) -> T) -> (T, bool) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = Turn { store: &mut store, now: self.clock.now(), shared: self };
        let settled = turn.settle();
        (act(&mut turn), settled)
    }
}

/// The store at a moment. What the services do is written as methods of this, each in the file of its service.
pub(crate) struct Turn<'a> {
    pub(crate) store: &'a mut Store,
    pub(crate) now: Time,
    pub(crate) shared: &'a Shared,
}

impl Turn<'_> {
    /// Writes down that something took effect.
    pub(crate) fn note(&mut self, service: Service, effect: Effect) {
        self.store.record.add(self.now, service, effect);
    }

    pub(crate) fn schedule(&mut self, after: Duration, timer: Timer) {
        self.store.timers.add(self.now.plus(after), timer);
    }

    pub(crate) fn config(&self) -> &Config {
        &self.shared.config
    }
}
