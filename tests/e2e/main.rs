//! Drip as its users meet it: the real binary, on the embedded engines and on a real nats-server and Postgres, asked
//! over HTTP, NATS and the command line, and killed on purpose.
//!
//! What it deliberately does not do: it shares no code with Drip. Amounts, sums and what the log amounts to are worked
//! out here (`audit`) or in Python (`exact_sums.py`) once more, so that a mistake can not confirm itself.
//!
//! In reading order: `stack` starts and kills Drip, `ask` asks it, `audit` holds log, owners and views against each
//! other, `load` is many clients at once, `browser` a real one; then the tests, from the main job to the odd corners.

#[cfg(test)]
mod anchors;
#[cfg(test)]
mod ask;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_clients;
#[cfg(test)]
mod bad_lines;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod bystander;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod crashes;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod faults_at_start;
#[cfg(test)]
mod garbage;
#[cfg(test)]
mod garbage_nats;
#[cfg(test)]
mod import;
#[cfg(test)]
mod import_kills;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod live_page;
#[cfg(test)]
mod load;
#[cfg(test)]
mod loop_day;
#[cfg(test)]
mod loop_faults;
#[cfg(test)]
mod loop_kills;
#[cfg(test)]
mod loop_lab;
#[cfg(test)]
mod loop_record;
#[cfg(test)]
mod loop_switches;
#[cfg(test)]
mod loop_users;
#[cfg(test)]
mod lost_logs;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod parallel;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod snapshots;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod stack;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod usage_files;
#[cfg(test)]
mod verify;
