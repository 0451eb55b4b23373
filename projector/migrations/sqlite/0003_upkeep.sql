-- The upkeep of accounts: what workers do for them, and what there is for people to see of it.

-- What an older program folded lacks rows here for all that happened before: crossings have made mails due, and openings and
-- deposits are signals. Views are made from the log alone, so they are emptied, and the projector folds them anew from its
-- beginning.
DELETE FROM chain_positions;
DELETE FROM accounts;
DELETE FROM lots;
DELETE FROM journal;
DELETE FROM usage_hours;
DELETE FROM sources;

-- By a person's hand: the account sleeps; its container runs without credit.
ALTER TABLE accounts ADD COLUMN paused INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN forced INTEGER NOT NULL DEFAULT 0;

-- One row an account that was given a container: how it stands after its last step.
CREATE TABLE containers (
    app           TEXT NOT NULL,
    user_id       TEXT NOT NULL,
    image         TEXT NOT NULL,     -- of the settings in force
    health_path   TEXT NOT NULL,
    set_partition INTEGER NOT NULL,  -- the event that holds the settings, the variables too
    set_sequence  INTEGER NOT NULL,
    set_idx       INTEGER NOT NULL,
    set_at        INTEGER NOT NULL,
    phase         TEXT NOT NULL,     -- absent, creating, starting, running, stopping, asleep
    steps         INTEGER NOT NULL,  -- counts the steps of workers
    ran           INTEGER NOT NULL,  -- it has run since it was made
    deployed      INTEGER NOT NULL,  -- it was deployed with the settings in force
    project       TEXT,              -- as the provider calls them
    environment   TEXT,
    service       TEXT,
    deployment    TEXT,
    url           TEXT,              -- where the service answers
    strategy      TEXT,              -- how it was last put to sleep, until it is seen asleep
    operation     TEXT,              -- what was claimed last, until it is done: provision, hibernate, restore, deprovision
    worker        TEXT,              -- who is at it
    until         INTEGER,           -- and until when no other worker is
    attempts      INTEGER NOT NULL,  -- how often the operation failed
    retry_at      INTEGER,           -- not before then
    gave_up       INTEGER NOT NULL,  -- the time that was set for it is over
    reason        TEXT,              -- of the last failure, until it is done
    stepped_at    INTEGER,           -- when a worker last told something
    PRIMARY KEY (app, user_id)
) STRICT;

-- One row a mail: a kind and an epoch of an account.
CREATE TABLE notices (
    app            TEXT NOT NULL,
    user_id        TEXT NOT NULL,
    kind           TEXT NOT NULL,     -- low_credit, paused, restored, plan_suggestion
    epoch          INTEGER NOT NULL,
    state          TEXT NOT NULL,     -- due, sending, retrying, sent, abandoned, superseded
    steps          INTEGER NOT NULL,  -- counts the steps of workers
    attempts       INTEGER NOT NULL,  -- how often a worker began to send it
    not_before     INTEGER,           -- until when no other worker sends it, or before when it is not tried again
    worker         TEXT,              -- who is at it
    message_id     TEXT,              -- as the provider calls it
    reason         TEXT,              -- why the last attempt failed, or why it will not be sent
    due_at         INTEGER NOT NULL,
    due_partition  INTEGER NOT NULL,  -- the event that made it due
    due_sequence   INTEGER NOT NULL,
    due_idx        INTEGER NOT NULL,
    mail_partition INTEGER,           -- the event that holds its text
    mail_sequence  INTEGER,
    mail_idx       INTEGER,
    stepped_at     INTEGER,           -- when a worker last told something
    PRIMARY KEY (app, user_id, kind, epoch)
) STRICT;

-- One row a checkout session.
CREATE TABLE checkouts (
    app              TEXT NOT NULL,
    user_id          TEXT NOT NULL,
    session          TEXT NOT NULL,     -- as the provider calls it
    amount           INTEGER NOT NULL,  -- what it asks for
    url              TEXT NOT NULL,     -- where the user pays
    state            TEXT NOT NULL,     -- pending, paid, parked, dismissed
    reason           TEXT,              -- why it is parked: expired, cancelled, amount_differs, refused, late
    paid             INTEGER,           -- what was paid, where it is parked and that is known
    payment          TEXT,              -- the transaction, when the provider told it
    key              TEXT,              -- the caller's idempotency key
    actor            TEXT NOT NULL,     -- who did what was done last
    expires_at       INTEGER NOT NULL,
    opened_at        INTEGER NOT NULL,
    opened_partition INTEGER NOT NULL,  -- the event that opened it
    opened_sequence  INTEGER NOT NULL,
    opened_idx       INTEGER NOT NULL,
    stepped_at       INTEGER NOT NULL,  -- when something last happened to it
    PRIMARY KEY (app, user_id, session)
) STRICT;

-- One row a comparison of the money that users hold with what there is for them. Absent: it could not be read.
CREATE TABLE solvency (
    partition     INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    idx           INTEGER NOT NULL,
    recorded_at   INTEGER NOT NULL,
    balances      INTEGER NOT NULL,  -- the sum of all balances
    positions     TEXT NOT NULL,     -- JSON: the commit of each partition up to which they were summed up
    wallet        INTEGER,           -- USDC
    promo         INTEGER,           -- promotional credit beside it
    wallet_level  TEXT NOT NULL,     -- ok, warn, critical, unknown
    build_credits INTEGER,           -- credits for containers
    build_monthly INTEGER,           -- what the containers cost a month
    build_level   TEXT NOT NULL,     -- ok, warn, critical, unknown
    worker        TEXT NOT NULL,
    PRIMARY KEY (partition, sequence, idx)
) STRICT;

-- One row a signal, for people to read: what happened to accounts and what was done about it. What each column holds for which
-- kind stands in docs/auditing.md.
CREATE TABLE agent_log (
    partition   INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    idx         INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    app         TEXT,              -- absent: of no app alone
    user_id     TEXT,
    kind        TEXT NOT NULL,     -- opened, granted, deposited, crossed, closed, container_set, paused, resumed, lifecycle, notice, checkout, solvency
    step        TEXT,              -- which step of a container, a mail or a session
    subject     TEXT,              -- what it is about: a line, an operation, an id, a kind of mail, a session
    amount      INTEGER,
    balance     INTEGER,           -- of the account after it
    text        TEXT,              -- an image, an address, a reason
    actor       TEXT,              -- who did it
    PRIMARY KEY (partition, sequence, idx)
) STRICT;

-- The session that a webhook names.
CREATE INDEX checkouts_session ON checkouts (session);
-- What workers look for; few rows at any time.
CREATE INDEX checkouts_pending ON checkouts (state) WHERE state IN ('pending', 'parked');
CREATE INDEX notices_open ON notices (state) WHERE state IN ('due', 'sending', 'retrying');
-- The log of one app, page by page.
CREATE INDEX agent_log_app ON agent_log (app, partition, sequence, idx);

INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('checkouts', 'sqlite_autoindex_checkouts_1', '1000000 100000 10 1'),
    ('checkouts', 'checkouts_session', '1000000 1'),
    ('checkouts', 'checkouts_pending', '1000 500'),
    ('notices', 'sqlite_autoindex_notices_1', '1000000 100000 4 2 1'),
    ('notices', 'notices_open', '100 30'),
    ('agent_log', 'sqlite_autoindex_agent_log_1', '10000000 1000000 10 1'),
    ('agent_log', 'agent_log_app', '10000000 1000000 100000 10 1');
