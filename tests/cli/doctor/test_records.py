"""The checks of what the home keeps: history, prices, losses, names that were asked for, accounts and logins."""

import shutil
import sqlite3
import time
from collections import namedtuple
from dataclasses import replace
from datetime import date

import msgspec
import pytest

from router.cli.doctor.checks import accounts, history, usage
from router.cli.doctor.checks.history import find_damage
from router.cli.doctor.situation import FoundProxy
from router.operator_api.status import AnswerCacheStatus, CaptureStatus, HistoryStatus
from router.store.database.location import Location
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.record import History
from router.store.home import run_files
from router.store.home.home import open_home
from router.store.keys import logins
from router.store.keys.logins import Login, Tokens

from ..inspect.test_status import account, backend, status
from .conftest import find_rows, look

Disk = namedtuple("Disk", "total used free")


def record(fairlead, *entries, price=(3_410_000_000, "genai-prices 1")):
    """Write requests of a minute ago."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(fairlead.home)}), print)
    kept = History(ledger, lambda entry: price, lambda: 30)
    for number, fields in enumerate(entries):
        common = {"id": f"req_{number:022}", "method": "POST", "path": "/v1/messages", "started": time.time() - 60}
        kept.add(HistoryEntry(**{**common, "status": 200, "tokens_in": 5, "tokens_out": 5, **fields}))
    ledger.close(10)


def told(situation, reported):
    """The situation with a proxy that reports this."""
    run = run_files.Run(pid=1, url="http://localhost:3456", port=3456, version="0", started=1.0)
    return replace(situation, proxies=(FoundProxy(run, "proven", None, reported),))


def test_a_history(fairlead, examine):
    """Where it is, and how large."""
    assert examine("history").rows == []
    record(fairlead, {"model": "m"})
    row = examine("history").get("history")
    assert row["status"] == "ok"
    assert row["text"].startswith("~/home/history.db, ")


def test_a_history_of_nothing(fairlead, examine):
    """A file that a proxy made when it started holds nothing yet."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(fairlead.home)}), print)
    ledger.start()
    ledger.close(10)
    assert examine("history").get("history")["text"] == "nothing was recorded yet"


def test_a_damaged_history(fairlead, examine):
    """Garbage in the place of the file, and in its middle."""
    record(fairlead, *({"model": f"m-{number}", "notes": "n" * 900} for number in range(300)))
    path = fairlead.home / "history.db"
    data = bytearray(path.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 40960] = b"\xff" * min(40960, len(data) - middle)
    path.write_bytes(data)
    report = examine("history")
    row = report.find("history", "fail")[0]
    assert report.code == 1
    assert "damaged" in row["text"]
    assert "mv " in row["fix"]
    path.write_bytes(b"nonsense" * 1000)
    assert examine("history").find("history", "fail")


def test_a_copy_of_a_damaged_one(fairlead, examine):
    """It was renamed when it was found."""
    record(fairlead, {"model": "m"})
    (fairlead.home / "history.db.corrupt-1").touch(mode=0o600)
    row = examine("history").find("history", "info")[0]
    assert row["text"] == "a damaged copy is beside it: ~/home/history.db.corrupt-1"


def test_looking_through_it_has_an_end():
    """A large file is not read to its end; what was found until then counts."""
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE t (x)")
    db.executemany("INSERT INTO t VALUES (?)", (("x" * 100,) for _ in range(20_000)))
    assert find_damage(db, seconds=-1.0) == ""
    assert db.execute("SELECT count(*) FROM t").fetchone() == (20_000,)
    db.close()


def test_a_full_disk(fairlead, examine, monkeypatch):
    """Before the history ends."""
    fairlead("config", "set", "port", "3999")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Disk(1 << 40, 1 << 40, 150 << 20))
    row = examine("history").find("history", "warn")[0]
    assert row["text"] == "~/home has 150 MB left; the history ends when it is full"


def test_a_history_elsewhere(fairlead, examine, monkeypatch):
    """A home on the network, with a local folder and without one."""
    fairlead("config", "set", "port", "3999")
    home = fairlead.home / "history.db"
    monkeypatch.setattr(history, "locate", lambda *_: Location(home, elsewhere="it is in /var/tmp"))
    assert examine("history").find("history", "info")[0]["text"] == "it is in /var/tmp"
    monkeypatch.setattr(history, "locate", lambda *_: Location(home, problem="no local folder was found"))
    assert [row["status"] for row in examine("history").rows] == ["warn"]


@pytest.mark.parametrize(
    ("fields", "verdict", "text"),
    [
        ({"history": HistoryStatus(problem="it is full", dropped=0, path="", elsewhere=None)}, "fail", "it is full"),
        (
            {"history": HistoryStatus(problem=None, dropped=3, path="", elsewhere=None)},
            "warn",
            "3 rows were lost since the proxy started",
        ),
        (
            {"capture": CaptureStatus(on=True, folder="/h/captures", dropped=0, problem=None)},
            "warn",
            "bodies of requests and answers are kept for 24 h in /h/captures",
        ),
        (
            {"answer_cache": AnswerCacheStatus(on=True, path="/h/answer_cache.db", problem=None)},
            "info",
            "answers are kept in /h/answer_cache.db, to be given again",
        ),
        (
            {"answer_cache": AnswerCacheStatus(on=True, path="/h/answer_cache.db", problem="it is damaged")},
            "warn",
            "it is damaged",
        ),
    ],
)
def test_what_the_proxy_says_of_it(fairlead, fields, verdict, text):
    """Rows that were lost, and bodies and answers that are kept."""
    fairlead("config", "set", "port", "3999")
    reported = msgspec.structs.replace(status(), **fields)
    rows = find_rows(told(look(fairlead), reported), history.check_history)
    assert [(row.status, row.text) for row in rows[1:]] == [(verdict, text)]
    assert rows[1].fix


def test_prices_of_long_ago(fairlead, monkeypatch):
    """They are told of, and nothing has to be done."""
    monkeypatch.setattr(usage, "find_data_date", lambda today: date(2020, 1, 1))
    (row,) = find_rows(look(fairlead), usage.check_prices)
    assert (row.status, row.fix) == ("info", "")
    assert row.text.startswith("the newest price is of 2020-01-01")
    monkeypatch.setattr(usage, "find_data_date", lambda today: today)
    assert find_rows(look(fairlead), usage.check_prices) == []


def test_the_prices_have_a_date():
    """Of this build."""
    assert usage.find_data_date(date(2099, 1, 1)) > date(2023, 1, 1)
    assert usage.find_data_date(date(1999, 1, 1)) is None


def test_a_budget_without_prices(fairlead, examine):
    """It counts nothing of what has no price; without a budget that is no matter."""
    record(fairlead, *({"model": "m"} for _ in range(5)), price=(None, ""))
    assert examine("prices").find("prices", "warn") == []
    fairlead("config", "set", "guard.day_usd", "5")
    row = examine("prices").find("prices", "warn")[0]
    assert row["text"].startswith("5 requests of 5 since yesterday had no price")


def test_losses_of_a_day(fairlead, examine):
    """The most frequent first."""
    record(fairlead, {"losses": "top_k=dropped"}, {"losses": "top_k=dropped; stop=cut"}, {})
    row = examine("loss").get("loss")
    assert (row["status"], row["fix"]) == ("info", None)
    assert row["text"].startswith("translations of the last 24 h left out top_k=dropped (2)")


def test_names_that_nothing_serves(fairlead, examine):
    """Unless they are served by now; those that a backend did not know are its matter."""
    record(
        fairlead,
        {"model": "gpt-5o", "client": "codex", "status": 404},
        {"model": "gpt-5o", "client": "codex", "status": 404},
        {"model": "later", "status": 404},
        {"model": "later", "status": 200, "backend": "box"},
        {"model": "other", "status": 404, "backend": "box"},
        {"model": "", "status": 404},
        {"model": "old", "status": 404, "started": time.time() - 2 * 86400},
    )
    (row,) = examine("routes.asked").rows
    assert (row["status"], row["text"]) == ("warn", "codex asked 2 times for gpt-5o, which no backend serves")
    assert row["fix"] == "Send it elsewhere: fairlead config set aliases.gpt-5o BACKEND:MODEL"
    assert fairlead("config", "set", "aliases.gpt-5o", "demo").code == 0


def test_names_that_an_agent_asks_for_by_itself(fairlead, examine, provider):
    """Where Claude Code is used, and a proxy can say whether they are served."""
    add = ("backend", "add", "box", "--base-url", f"{provider.url}/v1", "--protocols", "messages", "--key-stdin")
    fairlead(*add, stdin="sk-good")
    fairlead.start("proxy", "--port", "0")
    assert examine("routes.asked").rows == []
    record(fairlead, {"model": "model-a", "client": "claude-code", "backend": "box"})
    rows = examine("routes.asked").rows
    assert [row["text"].split()[4] for row in rows] == ["claude-sonnet-5", "claude-haiku-4-5"]
    fairlead("config", "set", "aliases.claude-sonnet-5", "box:model-a")
    fairlead("config", "set", "aliases.claude-haiku-4-5", "box:model-a")
    assert examine("routes.asked").rows == []


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ([account()], []),
        (
            [account("work", "parked", "429 window", 720.0), account("home", "cooling", "401", 60.0)],
            [
                (
                    "fail",
                    "no account can serve: work is parked, for 12 min (429 window); home is cooling, for 60 s (401)",
                )
            ],
        ),
        (
            [account("work", "parked", "429 window", 720.0), account("home")],
            [("info", "work is parked, for 12 min (429 window)")],
        ),
        ([account("work", headroom=0.03)], [("info", "work has 3 % of its limits left")]),
        ([account("work", "unusable", "unusable: $X is not set.")], []),
    ],
)
def test_limits(fairlead, members, found):
    """What cannot serve now, and until when."""
    rows = list(accounts.check_limits(told(look(fairlead), status(backend("box", *members))), name="box"))
    assert [(row.status, row.text) for row in rows] == found
    assert accounts.check_limits(look(fairlead), name="box") == []


@pytest.mark.parametrize(
    ("fields", "verdict", "text"),
    [
        ({"ended": "invalid_grant"}, "fail", "it has ended: invalid_grant"),
        ({"tokens": Tokens("a" * 20, "", 1.0, 60.0)}, "fail", "it ended "),
        (
            {"tokens": Tokens("a" * 20, "b" * 20, 1.0, 60.0), "token_endpoint": "https://x/t"},
            "ok",
            "renewed at the next",
        ),
        ({"tokens": Tokens("a" * 20, "", time.time(), 1e9)}, "ok", "valid for "),
        ({"tokens": Tokens("a" * 20)}, "ok", "of https://id.example"),
    ],
)
def test_logins(fairlead, examine, fields, verdict, text):
    """One that has ended fails, with what begins another."""
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    login = Login(**{"name": "work", "issuer": "https://id.example", "tokens": Tokens("a" * 20), **fields})
    logins.save_login(home, login, use_keyring=False)
    row = examine("login").get("login.work")
    assert row["status"] == verdict
    assert row["text"].startswith(text)
    assert row["fix"] == ("Log in again: fairlead login work" if verdict == "fail" else None)


def test_a_login_that_cannot_be_read(fairlead, examine):
    """Its file is named."""
    folder = fairlead.home / "logins"
    folder.mkdir(mode=0o700, parents=True)
    fairlead.home.chmod(0o700)
    (folder / "work.json").write_text("{")
    (folder / "work.json").chmod(0o600)
    row = examine("login").get("login.work")
    assert (row["status"], row["text"]) == ("fail", "~/home/logins/work.json holds no login.")
