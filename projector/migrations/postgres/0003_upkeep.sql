-- The upkeep of accounts: what workers do for them, and what there is for people to see of it.

-- What an older program folded lacks rows here for all that happened before: crossings have made mails due, and openings and
-- deposits are signals. Views are made from the log alone, so they are emptied, and the projector folds them anew from its
-- beginning.
TRUNCATE chain_positions, accounts, lots, journal, usage_hours, sources;

-- By a person's hand: the account sleeps; its container runs without credit.
ALTER TABLE accounts ADD COLUMN paused BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE accounts ADD COLUMN forced BOOLEAN NOT NULL DEFAULT false;

-- One row an account that was given a container: how it stands after its last step.
CREATE TABLE containers (
    app           TEXT COLLATE "C" NOT NULL,
    user_id       TEXT COLLATE "C" NOT NULL,
    image         TEXT COLLATE "C" NOT NULL,  -- of the settings in force
    health_path   TEXT COLLATE "C" NOT NULL,
    set_partition BIGINT NOT NULL,            -- the event that holds the settings, the variables too
    set_sequence  BIGINT NOT NULL,
    set_idx       BIGINT NOT NULL,
    set_at        TIMESTAMPTZ NOT NULL,
    phase         TEXT COLLATE "C" NOT NULL,  -- absent, creating, starting, running, stopping, asleep
    steps         BIGINT NOT NULL,            -- counts the steps of workers
    ran           BOOLEAN NOT NULL,           -- it has run since it was made
    deployed      BOOLEAN NOT NULL,           -- it was deployed with the settings in force
    project       TEXT COLLATE "C",           -- as the provider calls them
    environment   TEXT COLLATE "C",
    service       TEXT COLLATE "C",
    deployment    TEXT COLLATE "C",
    url           TEXT COLLATE "C",           -- where the service answers
    strategy      TEXT COLLATE "C",           -- how it was last put to sleep, until it is seen asleep
    operation     TEXT COLLATE "C",           -- what was claimed last, until it is done: provision, hibernate, restore, deprovision
    worker        TEXT COLLATE "C",           -- who is at it
    until         TIMESTAMPTZ,                -- and until when no other worker is
    attempts      BIGINT NOT NULL,            -- how often the operation failed
    retry_at      TIMESTAMPTZ,                -- not before then
    gave_up       BOOLEAN NOT NULL,           -- the time that was set for it is over
    reason        TEXT COLLATE "C",           -- of the last failure, until it is done
    stepped_at    TIMESTAMPTZ,                -- when a worker last told something
    PRIMARY KEY (app, user_id)
);

-- One row a mail: a kind and an epoch of an account.
CREATE TABLE notices (
    app            TEXT COLLATE "C" NOT NULL,
    user_id        TEXT COLLATE "C" NOT NULL,
    kind           TEXT COLLATE "C" NOT NULL,  -- low_credit, paused, restored, plan_suggestion
    epoch          BIGINT NOT NULL,
    state          TEXT COLLATE "C" NOT NULL,  -- due, sending, retrying, sent, abandoned, superseded
    steps          BIGINT NOT NULL,            -- counts the steps of workers
    attempts       BIGINT NOT NULL,            -- how often a worker began to send it
    not_before     TIMESTAMPTZ,                -- until when no other worker sends it, or before when it is not tried again
    worker         TEXT COLLATE "C",           -- who is at it
    message_id     TEXT COLLATE "C",           -- as the provider calls it
    reason         TEXT COLLATE "C",           -- why the last attempt failed, or why it will not be sent
    due_at         TIMESTAMPTZ NOT NULL,
    due_partition  BIGINT NOT NULL,            -- the event that made it due
    due_sequence   BIGINT NOT NULL,
    due_idx        BIGINT NOT NULL,
    mail_partition BIGINT,                     -- the event that holds its text
    mail_sequence  BIGINT,
    mail_idx       BIGINT,
    stepped_at     TIMESTAMPTZ,                -- when a worker last told something
    PRIMARY KEY (app, user_id, kind, epoch)
);

-- One row a checkout session.
CREATE TABLE checkouts (
    app              TEXT COLLATE "C" NOT NULL,
    user_id          TEXT COLLATE "C" NOT NULL,
    session          TEXT COLLATE "C" NOT NULL,  -- as the provider calls it
    amount           BIGINT NOT NULL,            -- what it asks for
    url              TEXT COLLATE "C" NOT NULL,  -- where the user pays
    state            TEXT COLLATE "C" NOT NULL,  -- pending, paid, parked, dismissed
    reason           TEXT COLLATE "C",           -- why it is parked: expired, cancelled, amount_differs, refused, late
    paid             BIGINT,                     -- what was paid, where it is parked and that is known
    payment          TEXT COLLATE "C",           -- the transaction, when the provider told it
    key              TEXT COLLATE "C",           -- the caller's idempotency key
    actor            TEXT COLLATE "C" NOT NULL,  -- who did what was done last
    expires_at       TIMESTAMPTZ NOT NULL,
    opened_at        TIMESTAMPTZ NOT NULL,
    opened_partition BIGINT NOT NULL,            -- the event that opened it
    opened_sequence  BIGINT NOT NULL,
    opened_idx       BIGINT NOT NULL,
    stepped_at       TIMESTAMPTZ NOT NULL,       -- when something last happened to it
    PRIMARY KEY (app, user_id, session)
);

-- One row a comparison of the money that users hold with what there is for them. Absent: it could not be read.
CREATE TABLE solvency (
    partition     BIGINT NOT NULL,
    sequence      BIGINT NOT NULL,
    idx           BIGINT NOT NULL,
    recorded_at   TIMESTAMPTZ NOT NULL,
    balances      BIGINT NOT NULL,            -- the sum of all balances
    positions     TEXT COLLATE "C" NOT NULL,  -- JSON: the commit of each partition up to which they were summed up
    wallet        BIGINT,                     -- USDC
    promo         BIGINT,                     -- promotional credit beside it
    wallet_level  TEXT COLLATE "C" NOT NULL,  -- ok, warn, critical, unknown
    build_credits BIGINT,                     -- credits for containers
    build_monthly BIGINT,                     -- what the containers cost a month
    build_level   TEXT COLLATE "C" NOT NULL,  -- ok, warn, critical, unknown
    worker        TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (partition, sequence, idx)
);

-- One row a signal, for people to read: what happened to accounts and what was done about it. What each column holds for which
-- kind stands in docs/auditing.md.
CREATE TABLE agent_log (
    partition   BIGINT NOT NULL,
    sequence    BIGINT NOT NULL,
    idx         BIGINT NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    app         TEXT COLLATE "C",           -- absent: of no app alone
    user_id     TEXT COLLATE "C",
    kind        TEXT COLLATE "C" NOT NULL,  -- opened, granted, deposited, crossed, closed, container_set, paused, resumed, lifecycle, notice, checkout, solvency
    step        TEXT COLLATE "C",           -- which step of a container, a mail or a session
    subject     TEXT COLLATE "C",           -- what it is about: a line, an operation, an id, a kind of mail, a session
    amount      BIGINT,
    balance     BIGINT,                     -- of the account after it
    text        TEXT COLLATE "C",           -- an image, an address, a reason
    actor       TEXT COLLATE "C",           -- who did it
    PRIMARY KEY (partition, sequence, idx)
);

-- The session that a webhook names.
CREATE INDEX checkouts_session ON checkouts (session);
-- What workers look for; few rows at any time.
CREATE INDEX checkouts_pending ON checkouts (state) WHERE state IN ('pending', 'parked');
CREATE INDEX notices_open ON notices (state) WHERE state IN ('due', 'sending', 'retrying');
-- The log of one app, page by page.
CREATE INDEX agent_log_app ON agent_log (app, partition, sequence, idx);
