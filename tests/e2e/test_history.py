"""What happened is told alike everywhere: history.db, /analytics, `usage`, the log and /metrics say what was sent."""

import contextlib
import gzip
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter

import pytest

from .processes import Proxy, backend, make_home, until
from .samples import PROTOCOLS
from .upstream import Upstream, begun, close, hang, plain, stream
from .wire import Client, ask, request

CANARY = "canary-7f3a-never-written-down"
PRICES = {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75}
CLIENTS = {
    "claude-code": ((b"X-Claude-Code-Session-Id", b"s"), (b"X-App", b"cli")),
    "codex": ((b"X-Codex-Turn-Metadata", b"t"),),
    "": (),
}
BILLED = (
    (b"Anthropic-Ratelimit-Unified-Representative-Claim", b"five_hour"),
    (b"Anthropic-Ratelimit-Unified-5h-Utilization", b"0.42"),
    (b"Anthropic-Ratelimit-Unified-7d-Utilization", b"0.17"),
)
SAID = b'"system":"%b",' % CANARY.encode()
CONFIG = '[prices."model-a"]\ninput = 3\noutput = 15\ncache_read = 0.3\ncache_write = 3.75\n'
LOGGED = (
    *("method", "path", "protocol", "backend", "account", "status", "error", "attempts", "stream", "tokens_in"),
    *("tokens_out", "estimated", "client", "billing", "utilisation", "notes"),
)
COUNTED = ("tokens_in", "tokens_out", "cache_read", "cache_write", "reasoning")


def usage_of(protocol, tokens):
    """The usage object an upstream of this protocol sends for these counts."""
    read, out, cached, written, thought = (tokens[name] for name in COUNTED)
    if protocol.name == "messages":
        return {
            "input_tokens": read,
            "output_tokens": out,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written,
            "output_tokens_details": {"thinking_tokens": thought},
        }
    first, second = ("prompt", "completion") if protocol.name == "chat" else ("input", "output")
    return {
        f"{first}_tokens": read + cached + written,
        f"{second}_tokens": out,
        f"{first}_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        f"{second}_tokens_details": {"reasoning_tokens": thought},
    }


def answer_of(protocol, usage):
    """A plain answer with this usage; without any for None."""
    data = json.loads(protocol.whole)
    data.pop("usage")
    return json.dumps(data | {"echo": CANARY} | ({} if usage is None else {"usage": usage})).encode()


def events_of(protocol, usage):
    """A whole stream with this usage at its end."""
    data = json.dumps(usage).encode()
    if protocol.name == "messages":
        return [re.sub(rb'"usage":\{[^}]*\}(?=\}\n)', b'"usage":' + data, event) for event in protocol.events]
    if protocol.name == "chat":
        last = b'data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":%b}\n\n' % data
        return [*protocol.events[:-1], last, protocol.events[-1]]
    return [*protocol.events[:-1], re.sub(rb'"usage":\{[^}]*\}', b'"usage":' + data, protocol.events[-1])]


class Mixed:
    """Requests of every kind, one after the other, and what must be known of each afterwards."""

    def __init__(self, proxy, upstream, seed=6):
        self._proxy, self._upstream, self._chance = proxy, upstream, random.Random(seed)
        self.expected = {}
        self.kinds = Counter()

    def run(self, count):
        kinds = [self.whole] * 5 + [self.streamed] * 5 + [self.failed, self.unsaid, self.refused, self.left, self.cut]
        for number in range(count):
            kind, protocol = self._chance.choice(kinds), PROTOCOLS[number % 3]
            kind(protocol)
            self.kinds[kind.__name__, protocol.name] += 1

    def _tokens(self):
        counts = dict.fromkeys(COUNTED, 0)
        for name in COUNTED[:4]:
            counts[name] = self._chance.choice((0, 7, 1200, 96_210))
        counts["reasoning"] = self._chance.randrange(counts["tokens_out"] + 1)
        return counts

    def _ask(self, protocol, *, streamed, script, body=None):
        client = self._chance.choice(list(CLIENTS))
        if script is not None:
            self._upstream.script(script)
        body = body or protocol.body(stream=streamed, extra=SAID)
        return client, ask(self._proxy.port, protocol.path, body, *CLIENTS[client])

    def _note(self, sent, client, answer, tokens, **fields):
        name = answer.field(b"x-fairlead-request-id").decode()
        cost = None
        if tokens is not None:
            rates = zip(PRICES.values(), (tokens[key] for key in COUNTED[:4]), strict=True)
            cost = round(sum(rate * 1000 * count for rate, count in rates)) / 1e9
        self.expected[name] = {
            "client": client,
            "protocol": sent.name,
            "path": sent.path,
            "model": "model-a",
            "backend": "box",
            "account": "none",
            "status": 200,
            "error": "",
            "attempts": 1,
            "stream": False,
            "billing": "",
            "utilisation": None,
            "estimated": False,
            "cost_usd": cost,
            **(tokens or dict.fromkeys(COUNTED)),
            **fields,
        }

    def whole(self, protocol):
        tokens, packed = self._tokens(), self._chance.random() < 0.3
        body = answer_of(protocol, usage_of(protocol, tokens))
        fields = [*BILLED] if protocol.name == "messages" else []
        if packed:
            body, fields = gzip.compress(body), [*fields, (b"Content-Encoding", b"gzip")]
        client, answer = self._ask(protocol, streamed=False, script=plain(body, b"200 OK", *fields))
        told = {"billing": "five_hour", "utilisation": 0.42, "used_5h": 0.42, "used_7d": 0.17}
        told = told if protocol.name == "messages" else {}
        self._note(protocol, client, answer, tokens, **told)

    def streamed(self, protocol):
        tokens = self._tokens()
        script = stream(events_of(protocol, usage_of(protocol, tokens)))
        client, answer = self._ask(protocol, streamed=True, script=script)
        assert answer.whole
        self._note(protocol, client, answer, tokens, stream=True)

    def failed(self, protocol):
        status = self._chance.choice((b"503 Busy", b"500 Oops", b"529 Overloaded"))
        script = plain(b'{"type":"error","error":{"type":"x","message":"no %b"}}' % CANARY.encode(), status)
        client, answer = self._ask(protocol, streamed=self._chance.random() < 0.5, script=script)
        self._note(protocol, client, answer, None, status=int(status[:3]), error="upstream_error")

    def unsaid(self, protocol):
        client, answer = self._ask(protocol, streamed=False, script=plain(answer_of(protocol, None)))
        self._note(protocol, client, answer, None, estimated=True, tokens_in=Known, tokens_out=Known, cost_usd=Known)

    def refused(self, protocol):
        known = self._chance.random() < 0.5
        body = protocol.body("nobody:knows-this", extra=SAID) if known else b"{" + SAID
        client, answer = self._ask(protocol, streamed=False, script=None, body=body)
        self._note(
            protocol,
            client,
            answer,
            None,
            status=404 if known else 400,
            error="not_found_error" if known else "invalid_request_error",
            model="nobody:knows-this" if known else "",
            protocol=protocol.name if known else "",
            backend="",
            account="",
            attempts=0,
        )

    def left(self, protocol):
        self._upstream.script(begun(protocol), hang)
        client = self._chance.choice(list(CLIENTS))
        with Client(self._proxy.port) as caller:
            caller.send(request(protocol.path, protocol.body(stream=True, extra=SAID), *CLIENTS[client]))
            seen = caller.read_until(protocol.events[protocol.begun - 1])
            caller.abort()
        name = re.search(rb"x-fairlead-request-id: (\S+)", seen, re.IGNORECASE)[1].decode()
        self._cut_off(protocol, client, name, error="client_gone")

    def cut(self, protocol):
        self._upstream.script(begun(protocol), close)
        client = self._chance.choice(list(CLIENTS))
        answer = ask(self._proxy.port, protocol.path, protocol.body(stream=True, extra=SAID), *CLIENTS[client])
        assert not answer.whole
        name = answer.field(b"x-fairlead-request-id").decode()
        self._cut_off(protocol, client, name, error="upstream_broke_off")

    def _cut_off(self, protocol, client, name, *, error):
        self.expected[name] = {
            "client": client,
            "protocol": protocol.name,
            "status": 200,
            "stream": True,
            "estimated": True,
            "error": error,
            "tokens_in": 3 if protocol.name == "messages" else Known,
            "tokens_out": Known,
        }


class Anything:
    """Equal to every count there can be, but for none."""

    def __eq__(self, other):
        return other is not None and other > 0

    __hash__ = None


Known = Anything()


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
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "router", *arguments],
        env={"PATH": os.environ["PATH"], "FAIRLEAD_HOME": str(proxy.home), "HOME": str(proxy.home.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


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
        names = Counter(row[key] for row in rows if row[key])
        assert {one["name"]: one["requests"] for one in found[group]} == names
        for one in found[group]:
            assert_group(one, [row for row in rows if row[key] == one["name"]])
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
    """No word of a request or an answer is in any file of the home or beside it, nor in what commands and operator's
    endpoints say."""
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
