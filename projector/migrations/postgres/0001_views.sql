-- The views of Drip: tables folded from the log. They hold nothing that the log does not hold; they can be
-- dropped and filled again at any time. Nobody but the projector writes to them.
--
-- Amounts are BIGINT credits: 1 credit is 1 micro-USDC, 10^-6 USDC. Texts that are compared or listed in order
-- are ordered by their bytes (COLLATE "C"), so that every machine lists alike. A position in the log is three
-- columns: partition, sequence of the commit in it, index of the event in the commit.

-- How far each partition of the log is folded. It changes in the same transaction as the rows it speaks of.
CREATE TABLE chain_positions (
    log           TEXT NOT NULL,         -- the id of the log, 32 hex digits
    partition     BIGINT NOT NULL,
    read          BIGINT NOT NULL,       -- the last sequence that was read, a foreign message's too
    sequence      BIGINT NOT NULL,       -- the last valid commit; 0: none yet
    hash          TEXT NOT NULL,         -- and its SHA-256, 64 hex digits
    time          TIMESTAMPTZ NOT NULL,  -- and its time
    term          TEXT NOT NULL,         -- and its term, 32 hex digits
    foreign_count BIGINT NOT NULL,       -- how many foreign messages were stepped over
    PRIMARY KEY (log, partition)
);

-- One row an account: how it stands after its last event.
CREATE TABLE accounts (
    app              TEXT COLLATE "C" NOT NULL,
    user_id          TEXT COLLATE "C" NOT NULL,
    balance          BIGINT NOT NULL,
    baseline         BIGINT NOT NULL,    -- what counts as 100 %
    level            TEXT NOT NULL,      -- healthy, low, exhausted
    epoch            BIGINT NOT NULL,    -- counts the rises of the level, from 1
    dusted           BOOLEAN NOT NULL,   -- what is left can not pay for what the user is used to
    closed           BOOLEAN NOT NULL,
    carry            BIGINT NOT NULL,    -- what remains below one credit of itemised charges, in 10^-18 USDC
    deposited        BIGINT NOT NULL,    -- all that was ever paid in
    granted          BIGINT NOT NULL,    -- all that was ever given
    charged          BIGINT NOT NULL,    -- all that was ever debited, fees included
    fees             BIGINT NOT NULL,    -- the part of it that went to $fee
    email            TEXT,
    metadata         TEXT,               -- JSON, as given at the opening
    opened_at        TIMESTAMPTZ NOT NULL,
    opened_partition BIGINT NOT NULL,    -- the event that opened it
    opened_sequence  BIGINT NOT NULL,
    opened_idx       BIGINT NOT NULL,
    last_partition   BIGINT NOT NULL,    -- its last event
    last_sequence    BIGINT NOT NULL,
    last_idx         BIGINT NOT NULL,
    PRIMARY KEY (app, user_id)
) WITH (fillfactor = 80);                -- room for updates in place: most rows change all the time

-- What each deposit or grant brought in, and what is left of it.
CREATE TABLE lots (
    app       TEXT COLLATE "C" NOT NULL,
    user_id   TEXT COLLATE "C" NOT NULL,
    lot       BIGINT NOT NULL,           -- counted from 1 in each account
    kind      TEXT NOT NULL,             -- paid, promo
    priority  BIGINT NOT NULL,           -- lower ones are burned first
    partition BIGINT NOT NULL,           -- the event that made it
    sequence  BIGINT NOT NULL,
    idx       BIGINT NOT NULL,
    amount    BIGINT NOT NULL,
    "left"    BIGINT NOT NULL,
    PRIMARY KEY (app, user_id, lot)
) WITH (fillfactor = 80);

-- One row an event of an account, for ever.
CREATE TABLE journal (
    partition   BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    idx         BIGINT NOT NULL,
    app         TEXT COLLATE "C" NOT NULL,
    user_id     TEXT COLLATE "C" NOT NULL,
    kind        TEXT NOT NULL,           -- opened, granted, deposited, debited, declined, crossed, closed
    recorded_at TIMESTAMPTZ NOT NULL,    -- the time of the commit
    occurred_at TIMESTAMPTZ,             -- when the usage happened, if the caller said so
    amount      BIGINT NOT NULL,         -- what it did to the balance: debits are negative; 0 for what moves no money
    balance     BIGINT NOT NULL,         -- after it
    level       TEXT,                    -- after it, where the event says so
    fee         BIGINT NOT NULL,         -- the part of a debit that went to $fee
    meter       TEXT,
    scope       TEXT,
    key         TEXT,                    -- the caller's idempotency key
    source      TEXT COLLATE "C",        -- the source it is an item of
    number      BIGINT,                  -- and the item's number in it
    items       TEXT,                    -- JSON: the items of a charge, as asked
    asked       BIGINT,                  -- the amount of a charge without items, as asked
    code        TEXT,                    -- why a debit was declined
    line        TEXT,                    -- the line that was crossed: low, exhausted
    lots        TEXT,                    -- JSON: [{"lot", "amount"}], the lots it made or took from
    actor       TEXT,                    -- who opened, gave, paid in or closed
    metadata    TEXT,                    -- JSON, as given
    PRIMARY KEY (partition, sequence, idx)
);

CREATE INDEX journal_account ON journal (app, user_id, partition, sequence, idx);
CREATE INDEX journal_key ON journal (app, user_id, key) WHERE key IS NOT NULL;
CREATE INDEX journal_source ON journal (app, source, number) WHERE source IS NOT NULL;

-- Paid usage by the hour (UTC) in which it happened, or was recorded when the caller did not say.
CREATE TABLE usage_hours (
    app     TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    meter   TEXT COLLATE "C" NOT NULL,
    hour    TIMESTAMPTZ NOT NULL,        -- its beginning
    count   BIGINT NOT NULL,             -- debits
    charged BIGINT NOT NULL,
    fees    BIGINT NOT NULL,
    PRIMARY KEY (app, user_id, meter, hour)
) WITH (fillfactor = 80);

CREATE INDEX usage_hours_app ON usage_hours (app, hour);

-- How far each source is applied in each partition, and what became of its items there.
CREATE TABLE sources (
    app       TEXT COLLATE "C" NOT NULL,
    source    TEXT COLLATE "C" NOT NULL,
    partition BIGINT NOT NULL,
    upto      BIGINT NOT NULL,           -- all items up to this number are done with here
    digest    TEXT NOT NULL,             -- over all items up to it, 64 hex digits
    debits    BIGINT NOT NULL,           -- items that were charged here
    charged   BIGINT NOT NULL,           -- and what for
    declined  BIGINT NOT NULL,           -- items that were declined here
    PRIMARY KEY (app, source, partition)
);
