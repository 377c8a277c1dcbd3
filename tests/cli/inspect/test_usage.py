"""`fairlead usage`, `why` and `history`: answers from history.db, with no proxy running, and clear ones always."""

import csv
import io
import json
import time
from contextlib import closing

import pytest

from router.policy.accounts.attempt import AttemptRecord, BindingRecord
from router.store.database.open import connect
from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.record import History
from router.store.home.home import open_home
from router.wire.headers.agent_hints import AgentHints
from router.wire.headers.rate_limits import Windows

COSTS = {"claude-opus-5": 3_410_000_000, "gpt-5-mini": 120_000_000}
ID = "req_0000000000000000000a"
#: The column of a table in which a row has priced and unpriced requests.
MIXED = {"account": ["unpriced"], "client": ["unpriced"], "day": ["unpriced"]}


@pytest.fixture
def filled(fairlead):
    """The command, in a home with a history."""
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    ledger = Ledger(home, print)
    history = History(ledger, lambda entry: (COSTS.get(entry.model), "genai-prices 1"), lambda: 30)
    common = {"started": time.time() - 60, "method": "POST", "path": "/v1/messages", "protocol": "messages"}
    for number, model in enumerate(("claude-opus-5", "gpt-5-mini", "llama\x1b[2J", "claude-opus-5"), 10):
        history.add(
            HistoryEntry(
                **common,
                id=f"req_{number:020x}",
                client="claude-code",
                model=model,
                backend="work",
                account="main",
                status=200,
                attempts=1,
                first_byte=0.9,
                total=41.2,
                tokens_in=1840,
                tokens_out=2205,
                cache_read=96_210,
                cache_write=3100,
                cache_write_1h=100,
                reasoning=7,
                billing="five_hour",
                utilisation=0.82,
                stream=True,
                notes="model renamed; usage asked for",
                estimated=number == 12,
            )
        )
    told = {"request_class": "subagent", "agent": "Explore", "hints": AgentHints(agent_id="a-2", parent_agent_id="a-1")}
    last = {"model": "=1+1", "status": 404, "error": "not_found_error", "tag": "night", **told}
    history.add(HistoryEntry(**common, id="req_ffff", **last))
    ledger.close(10)
    return fairlead


def test_usage(filled):
    """The sums first, then a table per model, account and client; what has no price is said to have none."""
    done = filled("usage")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0] == "last 60 min   5 requests (5/h)   1 error   $6.94 + 1 unpriced"
    [opus] = [line.split() for line in lines if line.strip().startswith("claude-opus-5")]
    assert [*opus[1:7], opus[-1]] == ["2", "\N{EN DASH}", "3,680", "95", "%", "4,410", "$6.82"]
    assert [float(opus[index]) for index in (7, 10)] == pytest.approx([0.9, 0.9], rel=0.12)
    assert "billing  five_hour 100 %" in lines
    assert "errors   not_found_error 1" in lines
    assert "limits   work/main 82 % in use" in lines
    assert "note     prices of genai-prices 1" in lines
    assert "note     the tokens of 1 request are estimates" in lines
    assert "\x1b" not in done.out
    assert "llama" in done.out


def test_clients_that_are_not_known(filled):
    """They have a row of their own, so that the rows add up to the total; alone they make no table of the overview."""
    found = json.loads(filled("usage", "--by", "client", "--json").out)
    assert {one["name"]: one["requests"] for one in found["rows"]} == {"claude-code": 4, "(unknown)": 1}
    assert sum(one["requests"] for one in found["rows"]) == found["total"]["requests"]
    assert "(unknown)" in filled("usage").out


def test_usage_of_unknown_clients_alone(fairlead):
    """The overview has no table of clients; it is there when it is asked for."""
    home = open_home({"FAIRLEAD_HOME": str(fairlead.home)})
    ledger = Ledger(home, print)
    history = History(ledger, lambda entry: (None, ""), lambda: 30)
    history.add(HistoryEntry(id="req_1", started=time.time() - 7200, method="GET", path="/v1/models", status=200))
    ledger.close(10)
    assert "client" not in fairlead("usage", "--since", "24h").out
    assert "(unknown)" in fairlead("usage", "--since", "24h", "--by", "client").out


def test_usage_as_json(filled):
    """The same fields as /analytics, in any window."""
    found = json.loads(filled("usage", "--json", "--since", "7d").out)
    assert (found["schema"], found["total"]["requests"], found["total"]["errors"]) == (1, 5, 1)
    assert [one["name"] for one in found["billing_classes"]] == ["five_hour"]
    assert found["models"][0]["cost_usd"] == 6.82


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("model", ["claude-opus-5", "gpt-5-mini", "llama\\x1b[2J", "=1+1"]),
        ("account", ["work/main"]),
        ("client", ["claude-code", "(unknown)"]),
        ("tag", ["night"]),
        ("day", [time.strftime("%Y-%m-%d", time.localtime(time.time() - 60))]),
        ("error", ["not_found_error"]),
        ("class", ["subagent"]),
        ("agent", ["Explore"]),
    ],
)
def test_usage_by(filled, key, names):
    """One table by that key below the sums; as JSON its rows have the fields of /analytics."""
    head, columns, *rows = filled("usage", "--by", key).out.splitlines()
    assert head.startswith("last 60 min   5 requests")
    common = ("requests", "errors", "in", "cached", "out", "p50", "/", "p95", "cost")
    assert columns.split() == [key, *common, *MIXED.get(key, ())]
    assert sorted(row.split("   ")[0].strip() for row in rows) == sorted(names)
    found = json.loads(filled("usage", "--by", key, "--json").out)
    assert set(found) == {"schema", "since", "until", "total", "by", "rows"}
    assert (found["by"], len(found["rows"])) == (key, len(names))
    assert found["rows"][0].keys() == found["total"].keys()


def test_usage_by_what_no_request_has(filled):
    """A table without rows says what is missing, and how it comes."""
    out = " ".join(filled("usage", "--by", "cache").out.split())
    assert "No request lost anything that a cache should have had." in out


def test_usage_by_day(fairlead):
    """Each local day has its own sums, the last one first."""
    now = time.time()
    noon = now - time.localtime(now).tm_hour * 3600 - 12 * 3600
    ages = (0, 1, 1, 3)
    add(
        fairlead.home,
        *(
            {"id": f"req_{number}", "model": "m", "status": 200, "tokens_in": 5, "started": noon - age * 86_400}
            for number, age in enumerate(ages)
        ),
    )
    rows = json.loads(fairlead("usage", "--since", "5d", "--by", "day", "--json").out)["rows"]
    days = [time.strftime("%Y-%m-%d", time.localtime(noon - age * 86_400)) for age in (0, 1, 3)]
    assert [(row["name"], row["requests"], row["tokens_in"]) for row in rows] == [
        (days[0], 1, 5),
        (days[1], 2, 10),
        (days[2], 1, 5),
    ]


@pytest.mark.parametrize("width", [40, 80, 200])
def test_usage_fits_the_terminal(filled, width):
    """No line is longer than the terminal is wide, but for commands, which stay in one piece; requests and cost stay
    in every table."""
    asked = ("usage", "--since", "1w")
    lines = filled(*asked, COLUMNS=str(width), FAIRLEAD_GUARD_DAY_USD="5").out.splitlines()
    assert [line for line in lines if len(line) > width and not line.strip().startswith("fairlead ")] == []
    assert lines[0].startswith("last 7 d   5 requests")
    head = next(line.split() for line in lines if line.startswith("  model"))
    assert {"requests", "cost"} <= {*head}
    assert ("cached" in head) == (width == 200)


def test_what_nothing_was_paid_for(fairlead):
    """Requests that failed have no cost, those of a model that costs nothing $0.00, and others are unpriced."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(fairlead.home)}), print)
    history = History(ledger, lambda entry: (0 if entry.model == "given" else None, "config.toml"), lambda: 30)
    common = {"started": time.time(), "method": "POST", "path": "/v1/messages", "backend": "b", "account": "none"}
    for number, fields in enumerate(
        (
            {"model": "failed", "status": 502, "error": "api_error"},
            {"model": "given", "status": 200, "tokens_in": 5},
            {"model": "served", "status": 200, "tokens_in": 5},
        )
    ):
        history.add(HistoryEntry(id=f"req_{number}", **common, **fields))
    ledger.close(10)
    rows = {line.split()[0]: line.split()[-1] for line in fairlead("usage").out.splitlines()}
    assert (rows["failed"], rows["given"], rows["served"]) == ("\N{EN DASH}", "$0.00", "unpriced")
    assert "b" in rows, "a backend without keys has no account to name"


def test_why(filled):
    """By its id, by its beginning or its end, by `-` for the latest: who served it, tokens, cost, notes."""
    whole = filled("why", ID)
    assert whole.code == 0
    assert whole.out == filled("why", "0000000000000000000a").out == filled("why", "req_0000000000000000000a").out
    assert whole.out.splitlines()[0] == f"{ID}   claude-opus-5   claude-code   messages   200   streamed   41 s"
    for words in (
        "served by  work/main   1 attempt   first byte 0.9 s",
        "in 1,840   cache read 96,210   cache write 3,100 (100 for an hour)   out 2,205   (reasoning 7)",
        "   cost $3.41 (prices of genai",
        "five_hour   82 % of the tightest limit in use",
        "note       model renamed",
        "note       usage asked for",
    ):
        assert words in whole.out
    assert "404" in filled("why", "-").out
    assert filled("why", "00a").out == whole.out
    assert "not sent: fairlead refused it" in filled("why", "ffff").out
    told = ("tag        night", "class      subagent", "agent      Explore", "agent id   a-2", "of agent   a-1")
    assert "  " + "\n  ".join(told) + "\n" in filled("why", "ffff").out
    assert not [name for name in ("  tag ", "  class ", "  agent ") if name in whole.out]
    assert "estimate" in filled("why", "req_0000000000000000000c").out
    assert "unpriced" in filled("why", "req_0000000000000000000c").out


MOVED = {
    "id": "req_7777",
    "model": "claude-opus-5",
    "backend": "anthropic",
    "account": "personal",
    "status": 200,
    "attempts": 2,
    "first_byte": 0.812,
    "tries": (
        AttemptRecord(
            at=0.003, backend="anthropic", account="work", status=429, done="parked", note="5h window\x1b[2J"
        ),
        AttemptRecord(at=0.009, backend="anthropic", account="personal", status=200),
    ),
    "binding": BindingRecord(account="work", session="3f9a", turns=212),
    "given_up": 96_000,
    "tag": "nightly",
}


def add(home, *entries):
    """Have these in the history."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(home)}), print)
    history = History(ledger, lambda entry: (None, ""), lambda: 30)
    for fields in entries:
        history.add(HistoryEntry(**{"started": time.time(), "method": "POST", "path": "/v1/messages", **fields}))
    ledger.close(10)


def test_why_it_moved(fairlead):
    """Each attempt is a line: when, by whom, how it ended, what was done about it; the binding and the loss too."""
    add(fairlead.home, MOVED)
    out = fairlead("why", "req_7777").out
    for line in (
        "  +0 ms      queued 0 ms, bound to work (session 3f9a, 212 turns)",
        "  +3 ms      anthropic/work       429, 5h window\\x1b[2J \N{RIGHTWARDS ARROW} parked",
        "  +9 ms      anthropic/personal   200, first byte 0.8 s",
        "  note       the move gave up about 96k cached tokens",
    ):
        assert line in out.splitlines()
    found = json.loads(fairlead("why", "req_7777", "--json").out)["request"]
    assert [(one["account"], one["done"]) for one in found["tries"]] == [("work", "parked"), ("personal", "")]
    assert (found["bound"], found["session"], found["turns"], found["given_up"]) == ("work", "3f9a", 212, 96_000)
    assert found["tag"] == "nightly"
    [row] = csv.DictReader(io.StringIO(fairlead("history", "export", "--format", "csv").out))
    assert json.loads(row["tries"])[0]["status"] == 429
    assert any(line.strip().startswith("nightly ") for line in fairlead("usage").out.splitlines())


def test_limits_by_window(fairlead):
    """A subscription's two windows stand side by side, with the time one is full at this rate, unless it begins anew
    before."""
    now = time.time()
    common = {"model": "m", "status": 200, "attempts": 1}
    add(
        fairlead.home,
        *(
            {
                **common,
                "id": f"req_{name}{minute}",
                "backend": "b",
                "account": name,
                "started": now - 600 + minute * 60,
                "utilisation": 0.5 + minute * 0.02,
                "windows": Windows(used_5h=0.5 + minute * 0.02, resets_5h=int(now + resets), used_7d=0.09),
            }
            for minute in range(10)
            for name, resets in (("work", 7200), ("soon", 600))
        ),
    )
    [line] = [line for line in fairlead("usage").out.splitlines() if line.startswith("limits")]
    assert "b/work 5h 68 % in use, full in about 16 min at this rate, 7d 9 % in use" in line
    assert "b/soon 5h 68 % in use, 7d 9 % in use" in line
    found = json.loads(fairlead("usage", "--json").out)["limits"]
    assert [(one["account"], one["window"]) for one in found] == [
        ("b/soon", "5h"),
        ("b/soon", "7d"),
        ("b/work", "5h"),
        ("b/work", "7d"),
    ]


@pytest.mark.parametrize("name", ["nobody", "req_nobody", "", "req_", "%", "'", "x" * 5000])
def test_an_unknown_id(filled, name):
    """It is said, with where ids are found."""
    done = filled("why", name)
    assert done.code == 1
    assert "has no request" in done.err
    assert "x-fairlead-request-id" in done.err


def test_several_are_meant(filled):
    """The ids are named."""
    done = filled("why", "0000")
    assert done.code == 1
    assert "0000 matches several requests: req_0000000000000000000" in done.err


def test_export(filled):
    """A line a request, oldest first; in a spreadsheet no text is a formula."""
    rows = [json.loads(line) for line in filled("history", "export").out.splitlines()]
    assert rows[0]["id"] == ID
    assert len(rows) == 5
    table = list(csv.DictReader(io.StringIO(filled("history", "export", "--format", "csv").out)))
    assert [row["id"] for row in table] == [row["id"] for row in rows]
    assert table[-1]["model"] == "'=1+1"
    assert table[0]["notes"] == "model renamed; usage asked for"


def test_clear(filled):
    """It wants to be confirmed; then all is gone."""
    done = filled("history", "clear")
    assert (done.code, "--yes" in done.err) == (2, True)
    assert filled("history", "clear", "--yes").out == "Erased 5 requests.\n"
    assert "no requests" in filled("usage").out
    assert filled("history", "export").out == ""
    assert b"claude-opus-5" not in (filled.home / "history.db").read_bytes()


def test_before_anything_happened(fairlead):
    """No file is no error, but for a request that cannot be shown."""
    assert fairlead("usage").out.startswith("last 60 min   no requests.")
    assert json.loads(fairlead("usage", "--json").out)["total"]["requests"] == 0
    assert fairlead("history", "export").out == ""
    assert fairlead("history", "clear").out == "There is no history.\n"
    done = fairlead("why", "x")
    assert (done.code, "no requests recorded yet" in done.err) == (1, True)


@pytest.mark.parametrize("command", [("usage",), ("why", "x"), ("history", "export")])
def test_a_file_that_cannot_be_read(filled, command):
    """A newer one and a damaged one are said to be that, with what to do."""
    path = filled.home / "history.db"
    with closing(connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    done = filled(*command)
    assert (done.code, done.out) == (1, "")
    assert "newer fairlead" in done.err
    path.write_bytes(b"no database" * 1000)
    done = filled(*command)
    assert (done.code, done.out) == (1, "")
    assert "damaged" in done.err
    assert "mv " in done.err


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("usage", "--since", "yesterday"), '--since is "yesterday"; expected a time such as'),
        (("usage", "--since", "\x1b[2J"), "expected a time such as"),
        (("usage", "--sinc", "1h"), "Did you mean --since?"),
        (("usage", "--by", "week"), "model"),
        (("history", "exprot"), "Did you mean:   fairlead history export"),
        (("history", "export", "--format", "xml"), "--format"),
        (("why",), "REQUEST_ID"),
    ],
)
def test_slips(fairlead, command, said):
    """Usage errors name what would be right."""
    done = fairlead(*command)
    assert done.code == 2
    assert said in done.err
    assert "\x1b" not in done.err
