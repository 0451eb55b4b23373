-- The views of Drip: tables folded from the log. They hold nothing that the log does not hold; they can be
-- dropped and filled again at any time. Nobody but the projector writes to them.
--
-- Amounts are credits: 1 credit is 1 micro-USDC, 10^-6 USDC. Times are microseconds since 1970, UTC. Truth is 0
-- or 1. A position in the log is three columns: partition, sequence of the commit in it, index of the event in
-- the commit.

-- How far each partition of the log is folded. It changes in the same transaction as the rows it speaks of.
CREATE TABLE chain_positions (
    log           TEXT NOT NULL,     -- the id of the log, 32 hex digits
    partition     INTEGER NOT NULL,
    read          INTEGER NOT NULL,  -- the last sequence that was read, a foreign message's too
    sequence      INTEGER NOT NULL,  -- the last valid commit; 0: none yet
    hash          TEXT NOT NULL,     -- and its SHA-256, 64 hex digits
    time          INTEGER NOT NULL,  -- and its time
    term          TEXT NOT NULL,     -- and its term, 32 hex digits
    foreign_count INTEGER NOT NULL,  -- how many foreign messages were stepped over
    PRIMARY KEY (log, partition)
) STRICT;

-- One row an account: how it stands after its last event.
CREATE TABLE accounts (
    app              TEXT NOT NULL,
    user_id          TEXT NOT NULL,
    balance          INTEGER NOT NULL,
    baseline         INTEGER NOT NULL,  -- what counts as 100 %
    level            TEXT NOT NULL,     -- healthy, low, exhausted
    epoch            INTEGER NOT NULL,  -- counts the rises of the level, from 1
    dusted           INTEGER NOT NULL,  -- what is left can not pay for what the user is used to
    closed           INTEGER NOT NULL,
    carry            INTEGER NOT NULL,  -- what remains below one credit of itemised charges, in 10^-18 USDC
    deposited        INTEGER NOT NULL,  -- all that was ever paid in
    granted          INTEGER NOT NULL,  -- all that was ever given
    charged          INTEGER NOT NULL,  -- all that was ever debited, fees included
    fees             INTEGER NOT NULL,  -- the part of it that went to $fee
    email            TEXT,
    metadata         TEXT,              -- JSON, as given at the opening
    opened_at        INTEGER NOT NULL,
    opened_partition INTEGER NOT NULL,  -- the event that opened it
    opened_sequence  INTEGER NOT NULL,
    opened_idx       INTEGER NOT NULL,
    last_partition   INTEGER NOT NULL,  -- its last event
    last_sequence    INTEGER NOT NULL,
    last_idx         INTEGER NOT NULL,
    PRIMARY KEY (app, user_id)
) STRICT;

-- What each deposit or grant brought in, and what is left of it.
CREATE TABLE lots (
    app       TEXT NOT NULL,
    user_id   TEXT NOT NULL,
    lot       INTEGER NOT NULL,  -- counted from 1 in each account
    kind      TEXT NOT NULL,     -- paid, promo
    priority  INTEGER NOT NULL,  -- lower ones are burned first
    partition INTEGER NOT NULL,  -- the event that made it
    sequence  INTEGER NOT NULL,
    idx       INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    "left"    INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, lot)
) STRICT;

-- One row an event of an account, for ever.
CREATE TABLE journal (
    partition   INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    app         TEXT NOT NULL,
    user_id     TEXT NOT NULL,
    kind        TEXT NOT NULL,     -- opened, granted, deposited, debited, declined, crossed, closed
    recorded_at INTEGER NOT NULL,  -- the time of the commit
    occurred_at INTEGER,           -- when the usage happened, if the caller said so
    amount      INTEGER NOT NULL,  -- what it did to the balance: debits are negative; 0 for what moves no money
    balance     INTEGER NOT NULL,  -- after it
    level       TEXT,              -- after it, where the event says so
    fee         INTEGER NOT NULL,  -- the part of a debit that went to $fee
    meter       TEXT,
    scope       TEXT,
    key         TEXT,              -- the caller's idempotency key
    source      TEXT,              -- the source it is an item of
    number      INTEGER,           -- and the item's number in it
    items       TEXT,              -- JSON: the items of a charge, as asked
    asked       INTEGER,           -- the amount of a charge without items, as asked
    code        TEXT,              -- why a debit was declined
    line        TEXT,              -- the line that was crossed: low, exhausted
    lots        TEXT,              -- JSON: [{"lot", "amount"}], the lots it made or took from
    actor       TEXT,              -- who opened, gave, paid in or closed
    metadata    TEXT,              -- JSON, as given
    PRIMARY KEY (partition, sequence, idx)
) STRICT;

CREATE INDEX journal_account ON journal (app, user_id, partition, sequence, idx);
CREATE INDEX journal_key ON journal (app, user_id, key) WHERE key IS NOT NULL;
CREATE INDEX journal_source ON journal (app, source, number) WHERE source IS NOT NULL;

-- Paid usage by the hour (UTC) in which it happened, or was recorded when the caller did not say.
CREATE TABLE usage_hours (
    app     TEXT NOT NULL,
    user_id TEXT NOT NULL,
    meter   TEXT NOT NULL,
    hour    INTEGER NOT NULL,  -- its beginning
    count   INTEGER NOT NULL,  -- debits
    charged INTEGER NOT NULL,
    fees    INTEGER NOT NULL,
    PRIMARY KEY (app, user_id, meter, hour)
) STRICT;

CREATE INDEX usage_hours_app ON usage_hours (app, hour);

-- How far each source is applied in each partition, and what became of its items there.
CREATE TABLE sources (
    app       TEXT NOT NULL,
    source    TEXT NOT NULL,
    partition INTEGER NOT NULL,
    upto      INTEGER NOT NULL,  -- all items up to this number are done with here
    digest    TEXT NOT NULL,     -- over all items up to it, 64 hex digits
    debits    INTEGER NOT NULL,  -- items that were charged here
    charged   INTEGER NOT NULL,  -- and what for
    declined  INTEGER NOT NULL,  -- items that were declined here
    PRIMARY KEY (app, source, partition)
) STRICT;
