"""Attacks with bodies, codings, files and floods that are tried on a running proxy."""

import functools
import gzip
import json
import statistics
import threading
import time
import zlib

import brotli
import pytest

from router.cli.config.import_text import parse_tree
from router.errors import CommandError
from router.store.config import toml

from ..e2e.processes import Proxy, until
from ..e2e.wire import Client, ask, request
from ..growth import grows_evenly
from ..patience import PATIENCE
from .probe import Probe

MIB = 1 << 20
KEY = "client-key-0123456789-0123456789-01"
CHAT, MESSAGES, RESPONSES = "/v1/chat/completions", "/v1/messages", "/v1/responses"

PROBES = {
    "members in br": Probe(attack="br of 12 MB of distinct members", gives="400"),
    "bomb in two codings": Probe(attack="gzip of gzip of 60 MB of one letter", gives="413"),
    "bomb in many members": Probe(attack="60 gzip members behind each other, each of 1 MB", gives="413"),
    "bomb in chunks": Probe(attack="a deflate bomb in chunks, without a length", gives="413"),
    "bomb in HTTP/1.0": Probe(attack="a gzip bomb in HTTP/1.0", gives="413"),
    "bomb as a form": Probe(attack="a multipart form of 60 MB in gzip", gives="413"),
    "bomb under the limit": Probe(attack="gzip of 7 MB of one member again and again", gives="400"),
    "spaced members": Probe(attack="300,000 members with white space between all signs", gives="400"),
    "escaped keys": Probe(attack="5,000 members whose keys are escapes", gives="400"),
    "texts in an input": Probe(attack="1.1 million texts as the input of Responses", gives="400"),
    "tools to count": Probe(attack="count_tokens with 300,000 tools", gives="400"),
    "properties of a schema": Probe(attack="a tool whose schema has 300,000 properties", gives="400"),
    "numbers to embed": Probe(attack="5 million numbers for embeddings", gives="400"),
    "NaN in a large body": Probe(attack="a NaN beside 300,000 numbers", gives="400"),
    "brackets in a prompt": Probe(attack="a prompt of 2 MB of open brackets, colons and commas", gives="200"),
    "model behind a million": Probe(attack="the model behind a list of 2 million items", gives="400"),
    "request beside bombs": Probe(attack="1.2 MB sent while ten clients send bombs", gives="200 while they go on"),
    "loop beside bombs": Probe(attack="/livez asked while ten clients send bombs", gives="before ten of theirs"),
    "captured backslashes": Probe(attack="captured bodies of 250 KB of backslashes", gives="before thirty of theirs"),
    "cross-site flood": Probe(attack="800 requests of a foreign page", gives="10 rows, all counted"),
    "flood of many clients": Probe(attack="foreign pages that pose as many tools", gives="60 rows at most"),
    "long methods": Probe(attack="methods of 17 and 60,000 letters", gives="501, counted, never stored"),
    "odd methods": Probe(attack="300 requests with methods of 5 letters", gives="405, no method stored"),
    "wrong key in a flood": Probe(attack="a tool's wrong key after 800 others were refused", gives="why finds it"),
    "captured refusals": Probe(attack="history.capture on, 300 requests without a key", gives="10 files at most"),
    "quoted parts of a key": Probe(attack="a TOML key of 5,000 quoted parts", gives="refused by line"),
    "merge keys in a chain": Probe(attack="YAML whose maps each merge the one before", gives="refused by line"),
    "aliases of aliases": Probe(attack="YAML of lists that name the list before nine times", gives="read in under 1 s"),
    "comment at the end": Probe(attack="JSON with 300,000 begun comments", gives="refused in under 1 s"),
}


def packed(body, coding="gzip"):
    return {"gzip": gzip.compress, "br": lambda data: brotli.compress(data, quality=4), "deflate": zlib.compress}[
        coding
    ](body)


def members(count):
    return b'{"model":"demo",' + b",".join(b'"%x":1' % number for number in range(count)) + b"}"


def listed(name, item, count, before=b""):
    return b'{"model":"demo",%b"%b":[%b]}' % (before, name, b",".join([item] * count))


LETTERS = b'{"model":"demo","user":"' + b"a" * (60 * MIB) + b'"}'


@functools.cache
def bomb():
    """60 MiB of one letter in gzip."""
    return packed(LETTERS)


TURN = b'"messages":[{"role":"user","content":"hi"}],"max_tokens":5'


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A proxy with the demo's models that captures bodies."""
    with Proxy(tmp_path_factory.mktemp("bodies"), settings={"FAIRLEAD_HISTORY_CAPTURE": "on"}) as proxy:
        proxy.loaded()
        yield proxy


@pytest.fixture
def keyed(tmp_path):
    """A proxy that asks for a key and captures bodies."""
    settings = {"FAIRLEAD_API_KEY": KEY, "FAIRLEAD_REQUIRE_KEY": "on", "FAIRLEAD_HISTORY_CAPTURE": "on"}
    with Proxy(tmp_path, settings=settings) as proxy:
        yield proxy


def status_of(proxy, path, body, *fields):
    answer = ask(proxy.port, path, body, *fields)
    return answer.status


def status_of_head(proxy, data):
    """The status that a request in bytes gets; it fails when the client has waited too long."""
    with Client(proxy.port) as client:
        client.send(data)
        return client.answer().status


# What makes them is not run where tests are only collected.
CODED = {
    "members in br": (b"br", lambda: packed(members(1_200_000), "br"), 400),
    "bomb in two codings": (b"gzip, gzip", lambda: packed(bomb()), 413),
    "bomb in many members": (b"gzip", lambda: packed(b" " * MIB) * 60, 413),
}


@pytest.mark.parametrize("name", CODED)
def test_bombs_in_codings(served, name):
    """They are decoded no further than 8 MiB, or 200 times what was sent."""
    coding, make, status = CODED[name]
    assert status_of_head(served, request(CHAT, make(), (b"Content-Encoding", coding))) == status


def test_bomb_in_chunks(served):
    """The probe `bomb in chunks`."""
    body = packed(LETTERS, "deflate")
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Encoding: deflate\r\n"
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(body[at : at + 999]), body[at : at + 999]) for at in range(0, len(body), 999)
    )
    assert status_of_head(served, head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n") == 413


def test_bomb_in_an_old_version(served):
    """The probe `bomb in HTTP/1.0`."""
    sent = request(CHAT, bomb(), (b"Content-Encoding", b"gzip")).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    assert status_of_head(served, sent) == 413


def test_bomb_as_a_form(served):
    """The probe `bomb as a form`."""
    kind = (b"Content-Type", b"multipart/form-data; boundary=x")
    part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"a" * (60 * MIB)
    body = packed(part + b"\r\n--x--\r\n")
    sent = request("/v1/audio/transcriptions", body, (b"Content-Encoding", b"gzip"), kind=kind)
    assert status_of_head(served, sent) == 413


PLAIN = {
    "bomb under the limit": lambda: (CHAT, packed(listed(b"x", b"1", 1)[:-1] + b',"a":1' * 1_200_000 + b"}")),
    "spaced members": lambda: (CHAT, members(300_000).replace(b":", b" : ").replace(b",", b" ,\n ")),
    "escaped keys": lambda: (CHAT, b'{"model":"demo",' + b",".join(b'"\\u%04x":1' % n for n in range(5000)) + b"}"),
    "texts in an input": lambda: (RESPONSES, listed(b"input", b'"a"', 1_100_000)),
    "tools to count": lambda: (MESSAGES + "/count_tokens", listed(b"tools", b'{"name":"a"}', 300_000, TURN + b",")),
    "properties of a schema": lambda: (
        MESSAGES,
        b'{"model":"demo",%b,"tools":[{"name":"a","input_schema":{"properties":%b}}]}' % (TURN, members(300_000)),
    ),
    "numbers to embed": lambda: ("/v1/embeddings", listed(b"input", b"17", 5_000_000)),
    "NaN in a large body": lambda: (CHAT, listed(b"x", b"1.5", 300_000, b'"y":NaN,' + TURN + b",")),
    "model behind a million": lambda: (CHAT, b'{"x":[' + b"1," * 2_000_000 + b'1],"model":"demo"}'),
}


@pytest.mark.parametrize("name", PLAIN)
def test_bodies_of_many_values(served, name):
    """They are refused before they are decoded."""
    path, body = PLAIN[name]()
    fields = [(b"Content-Encoding", b"gzip")] if body[:2] == b"\x1f\x8b" else []
    assert status_of(served, path, body, *fields) == 400


def test_brackets_in_a_prompt(served):
    """The probe `brackets in a prompt`."""
    text = '[{:,\\"' * 300_000
    body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": text}], "max_tokens": 5}).encode()
    assert status_of(served, CHAT, body) == 200


class Bombers:
    """Ten clients that send bodies of many kinds again and again while the block runs."""

    def __init__(self, port, bodies):
        self._stop = threading.Event()
        #: How many answers they got.
        self.answered = 0
        self._threads = [
            threading.Thread(target=self._send, args=(port, *bodies[at % len(bodies)])) for at in range(10)
        ]

    def _send(self, port, body, *fields):
        sent = request(CHAT, body, *fields)
        while not self._stop.is_set():
            with Client(port) as client:
                client.send(sent)
                client.answer()
            self.answered += 1

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)


def bombs():
    gzipped = (b"Content-Encoding", b"gzip")
    return [
        (bomb(), gzipped),
        (packed(members(500_000)), gzipped),
        (packed(b'{"model":"demo",' + b",".join([b'"a":1'] * 1_300_000) + b"}"), gzipped),
        (listed(b"x", b"[]", 240_000),),
        (b"\\" * (250 << 10),),
    ]


def test_a_request_beside_bombs(served):
    """The probe `request beside bombs`: it waits for a turn, and not for all that came before."""
    body = b'{"model":"demo","user":"%b",%b}' % (b"u" * 1_200_000, TURN)
    with Bombers(served.port, bombs()):
        time.sleep(0.5)
        assert status_of_head(served, request(CHAT, body)) == 200


@pytest.mark.parametrize(("sent", "most"), [("loop beside bombs", 10), ("captured backslashes", 30)])
def test_the_loop_beside_bombs(served, sent, most):
    """Others are answered meanwhile: before a turn of those ten clients, or three where their requests are small."""
    bodies = bombs() if sent == "loop beside bombs" else [(b'{"model":"demo","x":["' + b"\\" * 250_000 + b'"]}',)]
    meanwhile = []
    with Bombers(served.port, bodies) as bombers:
        for _ in range(30):
            before = bombers.answered
            assert ask(served.port, "/livez").status == 200
            meanwhile.append(bombers.answered - before)
    assert statistics.median(meanwhile) < most


def rows(proxy):
    """The recorded requests, the newest first."""
    answer = ask(proxy.port, "/admin/history?limit=1000", None, proxy.operator())
    return answer.json()["requests"]


def flood(port, count, make):
    """Send so many requests; the statuses."""
    found = set()
    with Client(port) as client:
        for number in range(count):
            client.send(make(number))
            found.add(client.answer().status)
    return found


FOREIGN = (b"Origin", b"https://evil.example")


def test_a_cross_site_flood(keyed):
    """The probe `cross-site flood`: a count each, and ten rows."""
    assert flood(keyed.port, 800, lambda _: request("/v1/models", None, FOREIGN)) == {403}
    assert keyed.status()["refused"] == {"cross-site": 800}
    # A minute may have ended between.
    assert until(lambda: 10 <= len(rows(keyed)) <= 20)
    said = ask(keyed.port, "/metrics", None, keyed.operator()).body
    assert b'fairlead_refused_requests_total{reason="cross-site"} 800.0' in said


def test_a_flood_of_many_clients(keyed):
    """The probe `flood of many clients`: what they claim to be makes no more rows than a bound."""
    from router.policy.routing.clients import NAMES, make_headers

    def make(number):
        fields = [(name.encode(), start.encode()) for name, start in make_headers(NAMES[number % len(NAMES)])]
        return request("/v1/models", None, FOREIGN, *fields)

    assert flood(keyed.port, 400, make) == {403}
    assert until(lambda: 60 <= len(rows(keyed)) <= 120)


def test_methods_nobody_has(keyed):
    """The probes `long methods` and `odd methods`."""
    for length in (17, 60_000):
        with Client(keyed.port) as client:
            client.send(request("/v1/models", method="A" * length))
            assert client.answer().status == 501
    key = (b"X-Api-Key", KEY.encode())
    odd = flood(keyed.port, 300, lambda number: request("/v1/files", None, key, method=f"A{number:04}"))
    assert odd == {405}
    assert keyed.status()["refused"] == {"method": 302}
    assert until(lambda: len(rows(keyed)) >= 10)
    assert {row["method"] for row in rows(keyed)} == {""}
    assert b"AAAAAAAA" not in (keyed.home / "history.db").read_bytes()


def test_a_wrong_key_is_found_in_a_flood(keyed):
    """The probes `wrong key in a flood` and `captured refusals`."""
    assert flood(keyed.port, 500, lambda _: request("/v1/models", None, FOREIGN)) == {403}
    assert flood(keyed.port, 300, lambda _: request("/v1/models", None)) == {401}
    answer = ask(keyed.port, "/v1/models", None, (b"X-Api-Key", b"another-key"))
    name = answer.field(b"x-fairlead-request-id").decode()

    def found():
        return ask(keyed.port, f"/admin/history/{name}", None, keyed.operator()).status == 200

    assert until(found)
    assert keyed.status()["refused"] == {"cross-site": 500, "no key": 300, "wrong key": 1}
    captured = keyed.home / "captures"
    assert len(list(captured.glob("*.json*")) if captured.is_dir() else []) <= 42


def test_quoted_parts_of_a_key():
    """The probe `quoted parts of a key`."""
    with pytest.raises(CommandError, match="line 2: a key has over 32 parts"):
        toml.parse("a = 1\n" + "'a'.\"b\"." * 2500 + "c = 1", "x.toml")


def test_merge_keys_in_a_chain():
    """The probe `merge keys in a chain`."""
    text = "a0: &a0 {x: 1}\n" + "".join(f"a{at}: &a{at} {{<<: *a{at - 1}, k{at}: 1}}\n" for at in range(1, 3000))
    with pytest.raises(CommandError, match=r"line 102: .*merge keys"):
        parse_tree(text, "x.yaml")


def test_aliases_of_aliases():
    """The probe `aliases of aliases`: they are shared, not copied."""
    text = "a0: &a0 [x]\n" + "".join(f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 30))
    # Copied, the last one would have nine to the thirtieth items.
    assert len(parse_tree(text, "x.yaml")) == 30


def test_a_comment_at_the_end():
    """The probe `comment at the end`."""

    def read(text):
        with pytest.raises(CommandError, match="invalid JSON"):
            parse_tree(text, "x.json")

    grows_evenly(lambda count: '{"a": 1,' + "/*" * count, read, 150_000)


#: The probes that tests above name in their first lines or parameters.
RUN = {
    *CODED,
    *PLAIN,
    *("bomb in chunks", "bomb in HTTP/1.0", "bomb as a form", "brackets in a prompt", "request beside bombs"),
    *("loop beside bombs", "captured backslashes", "cross-site flood", "flood of many clients", "long methods"),
    *("odd methods", "wrong key in a flood", "captured refusals", "quoted parts of a key", "merge keys in a chain"),
    *("aliases of aliases", "comment at the end"),
}


def test_every_probe_is_run():
    """A probe without a test is a claim."""
    assert set(PROBES) == RUN
