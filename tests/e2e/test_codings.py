"""Coded request bodies: read and forwarded without their coding, bounded, and refused when they are broken."""

import functools
import gzip
import json
import os
import sys
import threading
import time
import zlib

import brotli
import pytest

from . import samples
from .crowd import memory
from .samples import CHAT, MESSAGES, PROTOCOLS
from .upstream import plain
from .wire import Client, ask, request

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMIT = 64 << 20


def raw_deflate(data):
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


# name -> field, what packs
PACKERS = {
    "gzip": (b"gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "raw deflate": (b"deflate", raw_deflate),
    "br": (b"br", functools.partial(brotli.compress, quality=5)),
    "zstd": (b"zstd", zstd.compress),
}


@pytest.fixture(params=PACKERS)
def packer(request):
    """A coding's field, and what packs in it."""
    return PACKERS[request.param]


@pytest.fixture(params=PROTOCOLS, ids=lambda protocol: protocol.name)
def protocol(request):
    return request.param


def coded(field):
    return b"Content-Encoding", field


def large(size):
    return CHAT.body(extra=b'"pad":"%b",' % (b"x" * size))


@pytest.mark.parametrize("size", [10, 300_000, 3_000_000])
def test_forwarded_decoded(fairlead, upstream, packer, size):
    """The backend gets the body plain, with its own length and nothing of the coding; large ones too."""
    field, pack = packer
    body = large(size)
    upstream.script(plain(CHAT.whole))
    answer = ask(fairlead.port, CHAT.path, pack(body), coded(field))
    assert (answer.status, answer.body) == (200, CHAT.whole)
    [seen] = upstream.seen
    assert seen.body == body
    assert seen.field(b"content-length") == b"%d" % len(body)
    assert seen.field(b"content-encoding") is None


@pytest.mark.parametrize(
    "fields", [(b"gzip, zstd",), (b"gzip", b"zstd"), (b"identity", b"gzip,,ZSTD "), (b"x-gzip, identity, zstd",)]
)
def test_several_codings(fairlead, upstream, fields):
    """In one field or in several, they come off in reverse order."""
    body = MESSAGES.body()
    upstream.script(plain(MESSAGES.whole))
    packed = zstd.compress(gzip.compress(body))
    assert ask(fairlead.port, MESSAGES.path, packed, *map(coded, fields)).status == 200
    [seen] = upstream.seen
    assert (seen.body, seen.field(b"content-encoding")) == (body, None)


def test_in_chunks(fairlead, upstream, packer):
    """A coded body that announces no length, its bytes one by one, the next request behind it."""
    field, pack = packer
    body = CHAT.body()
    head = request(CHAT.path, b"", coded(field)).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in pack(body)) + b"0\r\n\r\n"
    for _ in range(2):
        upstream.script(plain(CHAT.whole))
    with Client(fairlead.port) as client:
        client.send(head + chunks + request(CHAT.path, body))
        assert [client.answer().status for _ in range(2)] == [200, 200]
    assert [seen.body for seen in upstream.seen] == [body, body]


@functools.cache
def too_large(pack):
    """Packed bodies that are refused when they are decoded, and the words of the refusals."""
    # What cannot be packed, between what can: about 40 times.
    blocks = b"".join(os.urandom(100) + b" " * 4000 for _ in range(LIMIT // 4100 + 1))
    return [(pack(blocks), "64 MiB"), (pack(b" " * (LIMIT + 1)), "200 times its size")]


def test_too_large_when_decoded(fairlead, upstream, protocol, packer):
    """A body that gives over 64 MiB is a 413, and one that gives over 200 times its size is one before that."""
    field, pack = packer
    for body, words in too_large(pack):
        answer = ask(fairlead.port, protocol.path, body, coded(field))
        samples.refused(protocol, answer, 413, words)
    assert not upstream.seen


def test_bombs_hold_up_nobody(fairlead, upstream):
    """Of 4 GiB packed twice, only the bound is ever unpacked: eight at once, and others are answered meanwhile."""
    bomb = b"\0" * (1 << 24)
    bomb = gzip.compress(gzip.compress(bomb) * 256)
    clients = [Client(fairlead.port) for _ in range(8)]
    began = time.monotonic()
    for client in clients:
        client.send(request(CHAT.path, bomb, coded(b"gzip, gzip")))
    slowest = 0.0
    for _ in range(20):
        at = time.monotonic()
        assert ask(fairlead.port, "/livez").status == 200
        slowest = max(slowest, time.monotonic() - at)
    for client in clients:
        with client:
            assert client.answer().status == 413
    assert slowest < 2
    assert time.monotonic() - began < 15
    assert not upstream.seen


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_bombs_take_little_memory(fairlead, upstream):
    """One of each coding at once: one is unpacked at a time, to its bound."""
    bombs = [(field, pack(b"\0" * (2 * LIMIT))) for field, pack in PACKERS.values()]
    before = memory(fairlead.process.pid)
    over, held = threading.Event(), []

    def watch():
        while not over.wait(0.02):
            held.append(memory(fairlead.process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    clients = [Client(fairlead.port) for _ in bombs]
    for client, (field, bomb) in zip(clients, bombs, strict=True):
        client.send(request(CHAT.path, bomb, coded(field)))
    statuses = [client.answer().status for client in clients]
    over.set()
    watcher.join()
    for client in clients:
        client.sock.close()
    assert statuses == [413] * len(bombs)
    assert max(held) - before < 2 * LIMIT
    assert not upstream.seen


def test_broken(fairlead, upstream, protocol, packer):
    """Cut, garbage, and garbage behind the end: 400, and the coding is named."""
    field, pack = packer
    packed = pack(protocol.body())
    for sent in (b"\xff\xfe no such coding at all", packed[:-1], packed[: len(packed) // 2], packed + b"\0"):
        answer = ask(fairlead.port, protocol.path, sent, coded(field))
        samples.refused(protocol, answer, 400, field.decode())
    assert not upstream.seen


@pytest.mark.parametrize("field", [b"compress", b"gzip, sdch", b"aes128gcm"])
def test_unknown(fairlead, upstream, protocol, field):
    """415 that says which ones are read, to people and to programs."""
    answer = ask(fairlead.port, protocol.path, protocol.body(), coded(field))
    samples.refused(protocol, answer, 415, "gzip, deflate, br, zstd")
    assert answer.field(b"accept-encoding") == b"gzip, deflate, br, zstd"
    assert not upstream.seen


def test_too_many(fairlead, protocol):
    """More codings than anyone means are a 400."""
    answer = ask(fairlead.port, protocol.path, protocol.body(), coded(b"gzip, gzip, gzip, gzip, gzip"))
    samples.refused(protocol, answer, 400, "codings")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
def test_other_verbs(fairlead, upstream, method):
    """What arrives without its coding's name arrives without its coding."""
    upstream.script(plain(b"{}"))
    body = json.dumps({"model": "model-a"}).encode()
    path = "/v1/responses/resp_1" if method == "DELETE" else "/v1/files/x"
    answer = ask(fairlead.port, path, zstd.compress(body), coded(b"zstd"), method=method)
    assert answer.status == 200, answer
    [seen] = upstream.seen
    assert (seen.body, seen.field(b"content-encoding")) == (body, None)


def test_an_empty_body_has_no_coding(fairlead, protocol):
    """It is as empty as any other: the error is about that."""
    samples.refused(protocol, ask(fairlead.port, protocol.path, b"", coded(b"zstd")), 400, "no body")
