"""What happened is told alike everywhere: history.db, /analytics, `usage`, the log and /metrics say what was sent."""

import contextlib
import json
import re
from collections import Counter

import pytest

from ..commands import run_in_home
from .processes import Proxy, backend, make_home, until
from .samples import PROTOCOLS
from .traffic import CANARY, CONFIG, COUNTED, Mixed, answer_of
from .upstream import Upstream, plain
from .wire import Client, ask, request

LOGGED = (
    *("method", "path", "protocol", "backend", "account", "status", "error", "attempts", "stream", "tokens_in"),
    *("tokens_out", "estimated", "client", "billing", "utilisation", "notes"),
)


@contextlib.contextmanager
def boxed(folder, *arguments, **settings):
    """A proxy with one scripted backend whose model has a price."""
    upstream = Upstream()
    home = make_home(folder)
    path = home / "config.toml"
    path.touch(mode=0o600)
    path.write_text(CONFIG)
    options = {"backends": [backend("box", upstream.root)], "settings": settings}
    with Proxy(folder, *arguments, "--demo", "off", **options) as proxy:
        proxy.settled("box")
        yield proxy, upstream
    upstream.stop()


@pytest.fixture
def box(tmp_path):
    """One that logs, on the terminal and to a file."""
    with boxed(tmp_path, "--log-file", str(tmp_path / "access.log"), FAIRLEAD_VERBOSE="1") as found:
        yield found


def command(proxy, *arguments):
    """What a fairlead command prints."""
    done = run_in_home(proxy.home, *arguments)
    assert done.code == 0, done.err
    return done.out.decode()


def history(proxy):
    """Every request of /admin/history, page by page."""
    found, before = [], ""
    while True:
        page = ask(proxy.port, f"/admin/history?limit=200{before}", None, proxy.operator()).json()["requests"]
        found += page
        if len(page) < 200:
            return found
        before = f"&before={page[-1]['id']}"


def metric(text, name, **labels):
    """The sum of a metric's samples with these labels."""
    total = 0.0
    for line in text.splitlines():
        match = re.match(rf"{name}(?:\{{(.*)\}})? (\S+)$", line)
        if match and all(f'{key}="{value}"' in match[1] for key, value in labels.items()):
            total += float(match[2])
    return total


def test_500_requests_are_told_alike(box):
    """Three protocols, streamed and plain, packed, cached, reasoning, refused, cut, left: all say what was sent."""
    proxy, upstream = box
    mixed = Mixed(proxy, upstream)
    mixed.run(500)
    assert len(mixed.kinds) == 7 * 3, "each kind in each protocol"
    rows = check_rows(proxy, mixed, 500)
    check_sums(rows.values(), ask(proxy.port, "/analytics", None, proxy.operator()).json())
    check_sums(rows.values(), json.loads(command(proxy, "usage", "--json")))
    check_log(rows, proxy.home.parent / "access.log")
    check_metrics(rows.values(), ask(proxy.port, "/metrics", None, proxy.operator()).body.decode())
    one = next(name for name, expected in mixed.expected.items() if expected.get("billing"))
    assert json.loads(command(proxy, "why", one, "--json"))["request"] == rows[one]
    said = [command(proxy, *words) for words in (("usage",), ("why", one), ("history", "export"))]
    check_nothing_of_the_prompt(proxy, said)


def test_without_a_log(tmp_path):
    """Nothing is known later or otherwise where no log wants it at once: metrics hold a request as soon as it has
    ended, rows are the same."""
    with boxed(tmp_path) as (proxy, upstream):
        mixed = Mixed(proxy, upstream, seed=7)
        mixed.run(90)
        text = ask(proxy.port, "/metrics", None, proxy.operator()).body.decode()
        rows = check_rows(proxy, mixed, 90)
        check_metrics(rows.values(), text)
        check_sums(rows.values(), ask(proxy.port, "/analytics", None, proxy.operator()).json())
        check_nothing_of_the_prompt(proxy, [])


def check_rows(proxy, mixed, count):
    """Each request is a row that says what was sent; the rows by id."""
    assert until(lambda: len(history(proxy)) >= count)
    rows = {row["id"]: row for row in history(proxy)}
    assert set(rows) == set(mixed.expected)
    assert len(rows) == count
    for name, expected in mixed.expected.items():
        row = rows[name]
        assert {key: row[key] for key in expected} == expected, row
        assert len(row["tries"]) == row["attempts"]
        assert all((one["backend"], one["done"]) == ("box", "") for one in row["tries"])
        assert 0 <= row["first_byte_ms"] <= row["total_ms"] or row["error"] == "client_gone"
    return rows


def check_sums(rows, found):
    """The sums of a summary are those of the rows, in all and by name."""
    rows = list(rows)
    assert_group(found["total"], rows)
    for group, key in (("models", "served_model"), ("backends", "backend"), ("clients", "client")):
        # Only clients may be unknown and still have a row.
        other = "(unknown)" if key == "client" else ""
        names = Counter(row[key] or other for row in rows if row[key] or other)
        assert {one["name"]: one["requests"] for one in found[group]} == names
        for one in found[group]:
            assert_group(one, [row for row in rows if (row[key] or other) == one["name"]])
    assert {one["name"]: one["requests"] for one in found["errors"]} == Counter(
        row["error"] for row in rows if row["error"]
    )
    [billed] = found["billing_classes"]
    assert (billed["name"], billed["requests"]) == ("five_hour", sum(row["billing"] != "" for row in rows))
    [account] = found["accounts"]
    assert account["name"] == "box/none"
    assert_group(account, [row for row in rows if row["account"]])
    assert found["tags"] == []
    limits = [(limit["account"], limit["window"], limit["utilisation"]) for limit in found["limits"]]
    assert limits == [("box/none", "5h", 0.42), ("box/none", "7d", 0.17)]
    assert found["prices"] == ["config.toml"]
    assert found["rate"]["cost_usd_per_hour"] == pytest.approx(found["total"]["cost_usd"] * 4, rel=1e-6)


def assert_group(sums, rows):
    assert sums["requests"] == len(rows)
    assert sums["errors"] == sum(bool(row["error"]) for row in rows)
    assert sums["estimated"] == sum(row["estimated"] for row in rows)
    for name in COUNTED:
        assert sums[name] == sum(row[name] or 0 for row in rows), name
    assert sums["cost_usd"] == pytest.approx(sum(row["cost_usd"] or 0 for row in rows), abs=1e-9)
    for name in ("first_byte_ms", "total_ms"):
        values = sorted(row[name] for row in rows if row[name] is not None)
        middle = values[(len(values) - 1) // 2 : len(values) // 2 + 1]
        assert min(middle) / 1.2 <= sums[name]["p50"] <= max(middle) * 1.2


def check_log(rows, path):
    lines = {line["id"]: line for line in map(json.loads, path.read_text().splitlines())}
    assert set(lines) == set(rows)
    for name, row in rows.items():
        line = lines[name]
        for key in LOGGED:
            assert line[key] == row[key], key
        for key in ("cache_read", "cache_write", "reasoning"):
            assert line[f"tokens_{key}"] == row[key], key
        assert (line["model"] or "", line["sent_model"] or line["model"] or "") == (row["model"], row["served_model"])


def check_metrics(rows, text):
    for kind, key in zip(("input", "output", "cache_read", "cache_write"), COUNTED[:4], strict=True):
        told = [row[key] for row in rows if row[key] is not None]
        assert metric(text, "gen_ai_client_token_usage_sum", gen_ai_token_type=kind) == sum(told)
        assert metric(text, "gen_ai_client_token_usage_count", gen_ai_token_type=kind) == len(told)
    for error, count in Counter(row["error"] for row in rows).items():
        assert metric(text, "gen_ai_server_request_duration_seconds_count", error_type=error) == count
    firsts = [row["first_byte_ms"] / 1000 for row in rows if row["first_byte_ms"] is not None]
    assert metric(text, "gen_ai_server_time_to_first_token_seconds_count") == len(firsts)
    assert metric(text, "gen_ai_server_time_to_first_token_seconds_sum") == pytest.approx(sum(firsts), abs=1e-3)
    assert metric(text, "fairlead_history_dropped_rows_total") == 0
    assert "nobody" not in text, "a model nobody serves is no label"


def check_nothing_of_the_prompt(proxy, said):
    """No word of a request or an answer, but the message of an error, is in any file of the home or beside it, nor in
    what commands and operator's endpoints say."""
    for path in ("/analytics", "/metrics", "/admin/history?limit=1000", "/status", "/accounts"):
        said.append(ask(proxy.port, path, None, proxy.operator()).body.decode())
    with Client(proxy.port) as reader:
        reader.send(request("/analytics/stream", None, proxy.operator()))
        latest = history(proxy)[0]["id"]
        said.append((reader.read_until(latest.encode()) + reader.read_until(b"\n\n")).decode())
    assert not any(CANARY in text for text in said)
    files = [path for path in proxy.home.parent.rglob("*") if path.is_file()]
    assert any(path.name == "history.db" for path in files)
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path


def test_why_at_once(box):
    """A request that has just ended is found by its id, by the beginning or the end of it, and as the latest: commands
    have the proxy write it first."""
    proxy, upstream = box
    chat = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")
    for of in (lambda name: name, lambda name: name[:16], lambda name: name[-5:], lambda _: "-"):
        upstream.script(plain(answer_of(chat, None)))
        name = ask(proxy.port, chat.path, chat.body()).field(b"x-fairlead-request-id").decode()
        assert json.loads(command(proxy, "why", of(name), "--json"))["request"]["id"] == name
    for of in (lambda name: name, lambda _: "-"):
        upstream.script(plain(answer_of(chat, None)))
        name = ask(proxy.port, chat.path, chat.body()).field(b"x-fairlead-request-id").decode()
        found = ask(proxy.port, f"/admin/history/{of(name)}", None, proxy.operator())
        assert found.json()["request"]["id"] == name
    assert ask(proxy.port, "/admin/history/req_nobody", None, proxy.operator()).status == 404


def test_usage_at_once(box):
    """A request that has just ended is in the sums: commands have the proxy write it first."""
    proxy, upstream = box
    chat = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")
    for number in (1, 2, 3):
        upstream.script(plain(answer_of(chat, None)))
        assert ask(proxy.port, chat.path, chat.body()).status == 200
        assert json.loads(command(proxy, "usage", "--json"))["total"]["requests"] == number


def test_usage_of_a_history_that_cannot_be_written(tmp_path):
    """`usage` says why requests are missing, in the words of /analytics."""
    home = make_home(tmp_path)
    (home / "history.db-journal").touch()
    (home / "history.db").mkdir()
    chat = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")
    with Proxy(tmp_path) as proxy:
        assert ask(proxy.port, chat.path, chat.body("demo")).status == 200
        assert until(lambda: proxy.status()["history"]["problem"])
        why = proxy.status()["history"]["problem"]
        (home / "history.db").rmdir()
        said = command(proxy, "usage")
    assert f"cannot write it, so requests since then are missing: {why}" in said
    assert "no requests." in said
    assert "Point a tool" not in said


def test_ids_are_in_order(box):
    """Ids of requests ascend with their time, refused ones too: the history's index grows at its end."""
    proxy, upstream = box
    chat = next(protocol for protocol in PROTOCOLS if protocol.name == "chat")
    upstream.default = (plain(answer_of(chat, None)),)
    answers = [ask(proxy.port, path, chat.body()) for _ in range(20) for path in (chat.path, "/v1/nothing/here")]
    names = [answer.field(b"x-fairlead-request-id") for answer in answers]
    assert all(re.fullmatch(rb"req_[0-9a-f]{20}", name) for name in names)
    assert sorted(set(names)) == names
