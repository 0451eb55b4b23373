-- An index is written for every row for ever, so each is as cheap as the queries it serves allow. Those of the views:
--
--   key of chain_positions how far each partition is; the guard of every write
--   key of accounts        one account; the accounts of an app, by user; the writes
--   key of lots            the lots of an account; the writes
--   key of journal         the event at a position; all events in the order of the log
--   journal_account        the events of an account, newest or oldest first, page by page
--   journal_key            what became of a key
--   journal_declined       the declined items of a source, by number
--   key of usage_hours     the usage of an account; the writes
--   usage_hours_app        the usage of an app in some hours
--   key of sources         a source; the writes

-- The key comes first: whoever asks names all three, and keys that are made one after the other (UUIDv7) then stand at the end
-- of the index, not all over it.
DROP INDEX journal_key;
CREATE INDEX journal_key ON journal (key, app, user_id) WHERE key IS NOT NULL;

-- Only what was declined is ever looked for by its number.
DROP INDEX journal_source;
CREATE INDEX journal_declined ON journal (app, source, number) WHERE kind = 'declined' AND source IS NOT NULL;

-- SQLite would not use them by itself: it takes every index for equally good until it is told otherwise, and then goes for
-- the one that spares it the sorting. So it read all events of an account to find one key. These are the numbers that ANALYZE
-- would find in large views: how many rows there are, then how many of them one value of the first column leaves, one of the
-- first two, and so on. (ANALYZE of a small table makes the place for them.)
ANALYZE chain_positions;
DELETE FROM sqlite_stat1;
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('journal', 'sqlite_autoindex_journal_1', '10000000 1000000 10 1'),
    ('journal', 'journal_account', '10000000 1000000 1000 1000 2 1'),
    ('journal', 'journal_key', '10000000 2 2 2'),
    ('journal', 'journal_declined', '100000 10000 1000 1'),
    ('usage_hours', 'sqlite_autoindex_usage_hours_1', '1000000 100000 100 100 1'),
    ('usage_hours', 'usage_hours_app', '1000000 100000 1000');
