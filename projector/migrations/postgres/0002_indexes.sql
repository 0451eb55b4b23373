-- An index is written for every row for ever, so each is as cheap as the queries it serves allow. Those of the views:
--
--   chain_positions_pkey   how far each partition is; the guard of every write
--   accounts_pkey          one account; the accounts of an app, by user; the writes
--   lots_pkey              the lots of an account; the writes
--   journal_pkey           the event at a position; all events in the order of the log
--   journal_account        the events of an account, newest or oldest first, page by page
--   journal_key            what became of a key
--   journal_declined       the declined items of a source, by number
--   usage_hours_pkey       the usage of an account; the writes
--   usage_hours_app        the usage of an app in some hours
--   sources_pkey           a source; the writes

-- The key comes first: whoever asks names all three, and keys that are made one after the other (UUIDv7) then stand at the end
-- of the index, not all over it.
DROP INDEX journal_key;
CREATE INDEX journal_key ON journal (key, app, user_id) WHERE key IS NOT NULL;

-- Only what was declined is ever looked for by its number.
DROP INDEX journal_source;
CREATE INDEX journal_declined ON journal (app, source, number) WHERE kind = 'declined' AND source IS NOT NULL;
