"""The digest of the views in a SQLite file, worked out as docs/auditing.md says: python3 digest.py views.db"""

import hashlib
import json
import sqlite3
import sys

# Table, how many of its columns are its key, and the columns that are truths.
TABLES = [
    ("accounts", 2, ("dusted", "closed", "paused", "forced")),
    ("agent_log", 3, ()),
    ("chain_positions", 2, ()),
    ("checkouts", 3, ()),
    ("containers", 2, ("ran", "deployed", "gave_up")),
    ("journal", 3, ()),
    ("lots", 3, ()),
    ("notices", 4, ()),
    ("solvency", 3, ()),
    ("sources", 3, ()),
    ("usage_hours", 4, ()),
]


def line(row, truths):
    cells = [bool(row[name]) if name in truths else row[name] for name in row.keys()]
    return json.dumps(cells, ensure_ascii=False, separators=(",", ":"))


def main():
    views = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    views.row_factory = sqlite3.Row
    digests = {}
    for table, key, truths in TABLES:
        order = ", ".join(str(number + 1) for number in range(key))
        lines = [line(row, truths) for row in views.execute(f"SELECT * FROM {table} ORDER BY {order}")]
        text = "".join(line + "\n" for line in lines)
        digests[table] = f"{len(lines)} {hashlib.sha256(text.encode()).hexdigest()}"
    whole = "".join(f"{table} {digest}\n" for table, digest in digests.items())
    print(json.dumps({**digests, "all": hashlib.sha256(whole.encode()).hexdigest()}))


if __name__ == "__main__":
    main()
