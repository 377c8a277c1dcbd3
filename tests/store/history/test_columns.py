"""The declared columns agree with the structs, the table and the record, and a new one shows everywhere."""

import csv
import io
import json
import subprocess
import sys
from contextlib import closing

from router.ir import Usage
from router.store.database.open import open_history
from router.store.history.columns import COLUMNS
from router.store.history.derive import STORED, SUMMED
from router.store.history.entry import ENTRY_TYPE, HistoryEntry
from router.store.history.read_requests import RECORDED, RecordedRequest
from router.store.history.rollups import ROLES
from router.telemetry.accesslog import RequestRecord
from router.telemetry.recorder import make_entry


def test_the_entry_agrees():
    """Each field of an entry has one column that says where its value is from."""
    assert sorted(column.field for column in COLUMNS if column.source) == sorted(HistoryEntry.__struct_fields__)
    assert ENTRY_TYPE is HistoryEntry


def test_the_api_agrees():
    """Each field of the API is a column, of the type its storage gives; the attempts are a table of their own."""
    declared = {column.shown: storage.shown for column, storage in STORED if column.shown}
    assert declared == {name: kind for name, kind in RecordedRequest.__annotations__.items() if name != "tries"}
    assert RECORDED is RecordedRequest


def test_the_table_agrees(home):
    """The table of a new file has the declared columns, with their types, and NULL where it may be."""
    db, _ = open_history(home)
    with closing(db):
        found = {row[1]: (row[2], not row[3]) for row in db.execute("PRAGMA table_info(requests)")}
        summed = [row[1] for row in db.execute("PRAGMA table_info(rollups)")]
    # A step only adds columns at the end.
    added = ("cache_lost", "cache_lost_cost", "saved_cost")
    assert found.pop("seq")
    assert found == {column.name: (storage.sql, storage.null) for column, storage in STORED}
    assert summed == [
        *("hour", "role", "name", "requests", "errors", "estimated", "unpriced"),
        *(name for name in SUMMED if name not in added),
        *("first", "total"),
        *added,
    ]


def test_roles_keep_their_numbers():
    """Their positions are numbers in files."""
    assert ROLES[:8] == ("all", "model", "backend", "account", "client", "tag", "billing", "error")
    assert ROLES[8:] == ("cache_loss", "class", "agent", "key", "answer_cache")


def test_every_expression_can_be_worked_out():
    """A record that holds nothing yet, and one that is full, have an entry and a log line."""
    told = {b"x-claude-code-request-class": b"main"}
    for fields in ({}, {"first_byte": 0.1, "usage": Usage(1), "notes": ("renamed",), "hints": told}):
        record = RequestRecord("req_1", 0.0, "GET", "/", **fields)
        assert make_entry(record).id == record.fields()["id"] == "req_1"


# Declares one more column before anything else is loaded, and records a request.
PROGRAM = """
import os, sys
from router.store.history import columns
from router.store.history.storage import OPTIONAL_NUMBER
toy = columns.Column("toy", OPTIONAL_NUMBER, "record.request_bytes", log="toy_bytes", why="toys", metric="toy")
columns.COLUMNS += (toy,)
from router.cli import history
from router.cli.inspect import why
import msgspec
from router.settings import Settings
from router.store.database.open import open_history
from router.store.database.writer import Ledger
from router.store.history import read_requests, reader
from router.store.home.home import open_home
from router.telemetry.accesslog import RequestRecord
from router.telemetry.pricing import Pricing
from router.store.history.record import History
from router.telemetry.recorder import Recorder
home = open_home(os.environ)
db, _ = open_history(home)
db.execute("ALTER TABLE requests ADD COLUMN toy INTEGER")
db.close()
ledger, settings = Ledger(home, print), Settings()
price = Pricing(lambda: settings).price
recorder = Recorder(ledger, History(ledger, price, lambda: settings.history_retention), price)
record = RequestRecord("req_1", 1.7e9, "POST", "/v1/messages", backend="b", request_bytes=1234)
recorder.add_finished(record)
print(msgspec.json.encode(record.fields()).decode())
[counts] = recorder.counters.sets.values()
print(counts.tokens["toy"].sum)
ledger.close(30)
with reader.open_reader(home) as db:
    print(msgspec.json.encode(read_requests.read_latest(db, 1)).decode())
history.run(["export", "--format", "csv"])
why.run(["req_1"])
"""


def test_a_new_column_is_declared_once(home):
    """One declaration and a step of the schema: it is in the row, the query, the export, the log line, the metrics, the
    API and `why`."""
    environ = {"FAIRLEAD_HOME": str(home.path), "PATH": "", "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM], env=environ, stdout=subprocess.PIPE, text=True, check=True
    )
    log, metric, api, head, row, *lines = done.stdout.splitlines()
    assert json.loads(log)["toy_bytes"] == 1234
    assert metric == "1234"
    assert json.loads(api)[0]["toy"] == 1234
    [exported] = csv.DictReader(io.StringIO(f"{head}\n{row}\n"))
    assert exported["toy"] == "1234"
    assert [line.split() for line in lines if "toys" in line] == [["toys", "1,234"]]
