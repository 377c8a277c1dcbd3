"""Multipart bodies are read for their model and sent on as they come."""

import gzip
import io
import json
import socket
import sys
import threading
import time
from functools import partial

import openai
import pytest

from router.net.server.limits import Limits
from router.server import serve

from ..patience import PATIENCE
from .processes import Proxy, Threaded, backend, until
from .upstream import Upstream, plain
from .wire import Client, ask, recv_until

BOUNDARY = b"----boundary-of-the-test"
KIND = (b"Content-Type", b"multipart/form-data; boundary=" + BOUNDARY)
ANSWER = b'{"text":"heard"}'
MIB = 1 << 20


def part(name, value, filename=None):
    """One part of a form."""
    named = b"" if filename is None else b'; filename="%b"' % filename
    return b'--%b\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % (BOUNDARY, name, named, value)


END = b"--" + BOUNDARY + b"--\r\n"
MODEL = part(b"model", b"b:whisper-1")
PATH = "/v1/audio/transcriptions"


def head(path, *fields):
    """The head of an upload."""
    lines = b"".join(b"%b: %b\r\n" % field for field in ((b"Host", b"localhost"), KIND, *fields))
    return b"POST " + path.encode() + b" HTTP/1.1\r\n" + lines + b"\r\n"


@pytest.fixture(scope="module")
def ups():
    made = {name: Upstream(models=(f"model-{name}",)) for name in ("a", "b")}
    yield made
    for up in made.values():
        up.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, ups):
    backends = [backend(name, up.root) for name, up in ups.items()]
    settings = {"FAIRLEAD_DEFAULT_BACKEND": "a"}
    with Proxy(tmp_path_factory.mktemp("uploads"), backends=backends, settings=settings) as proxy:
        proxy.settled("a", "b")
        yield proxy


@pytest.fixture
def sent(proxy, ups):
    """Send an upload by hand; the answer, and the request as backend b had it."""
    for up in ups.values():
        up.clear()

    def send(body, *fields, path=PATH):
        ups["b"].script(plain(ANSWER))
        answer = ask(proxy.port, path, body, *fields, kind=KIND)
        return answer, (ups["b"].seen[-1] if ups["b"].seen else None)

    return send


def rss(process):
    """Resident memory in bytes."""
    with open(f"/proc/{process.pid}/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("size", [10, 300_000])
def test_the_model_is_found_and_renamed(sent, order, size):
    """Before or behind the file, in a body of any size: the prefix goes, every other byte stays."""
    audio = part(b"file", b"\x00\r\n--" * (size // 5), b"a.wav")
    form = [(MODEL, audio)[index] for index in order]
    answer, seen = sent(b"".join(form) + part(b"language", b"en") + END)
    assert (answer.status, answer.body) == (200, ANSWER)
    assert seen.body == b"".join(form).replace(b"b:whisper-1", b"whisper-1") + part(b"language", b"en") + END
    assert seen.field(b"content-length") == b"%d" % len(seen.body)
    assert seen.field(b"content-type") == KIND[1]


def test_chunked_stays_chunked(proxy, ups, sent):
    """A client that names no length is sent on without one, renamed too."""
    ups["b"].script(plain(ANSWER))
    with Client(proxy.port) as client:
        client.send(head(PATH, (b"Transfer-Encoding", b"chunked")))
        for piece in (MODEL, part(b"file", b"x" * 200_000, b"f"), END):
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            until(lambda: False, 0.05)
        client.send(b"0\r\n\r\n")
        assert client.answer().status == 200
    seen = ups["b"].seen[-1]
    assert seen.field(b"transfer-encoding") == b"chunked"
    assert seen.body == MODEL.replace(b"b:", b"") + part(b"file", b"x" * 200_000, b"f") + END


@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_coded_body(sent, size):
    """A gzip body is sent on decoded, renamed; a broken one is refused."""
    form = part(b"file", b"x" * size, b"f") + MODEL + END
    answer, seen = sent(gzip.compress(form), (b"Content-Encoding", b"gzip"))
    assert answer.status == 200
    assert seen.body == form.replace(b"b:", b"")
    assert seen.field(b"content-encoding") is None
    answer, _ = sent(gzip.compress(form[:-60]), (b"Content-Encoding", b"gzip"))
    assert answer.status == 400


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (MODEL + MODEL + END, "twice"),
        (part(b"model", b"x" * 257) + END, "256 bytes"),
        (part(b"model", b"a\x00b") + END, "control"),
        (part(b"model", b"") + END, "empty"),
        (part(b"file", b"x", b"f"), "last boundary"),
        (b"no boundary at all" * 2000, "does not begin"),
        (b"--" + BOUNDARY + b"\r\nX: " + b"y" * 20_000, "headers over"),
        (b"--" + BOUNDARY + b"\r\nX-Other: y\r\n\r\nvalue\r\n" + END, "Content-Disposition"),
    ],
)
def test_bad_bodies(sent, body, says):
    """A body that cannot be read for one model is refused, in the caller's form, before anything goes upstream."""
    answer, seen = sent(body)
    assert answer.status == 400
    assert says in answer.json()["error"]["message"]
    assert seen is None


@pytest.mark.parametrize(
    "kind", [b"multipart/form-data", b"multipart/form-data; boundary=", b"multipart/form-data; boundary=" + b"x" * 71]
)
def test_bad_boundaries(proxy, kind):
    """A content type without a usable boundary is a 400 that says what it lacks."""
    answer = ask(proxy.port, PATH, MODEL + END, kind=(b"Content-Type", kind))
    assert answer.status == 400
    assert "boundary" in answer.json()["error"]["message"]


def test_a_second_model_behind_the_file(proxy, ups, sent):
    """It is found while the body is being sent on: refused, and the upstream never has the whole of it."""
    body = MODEL + part(b"file", b"x" * 3_000_000, b"f") + MODEL + END
    answer = ask(proxy.port, PATH, body, kind=KIND)
    assert answer.status == 400
    assert "twice" in answer.json()["error"]["message"]
    assert ups["b"].seen == []


def test_openai_sdk(proxy, ups, sent):
    """The official SDK's transcription and file upload arrive whole, the model without its prefix."""
    audio = bytes(range(256)) * 4000
    with openai.OpenAI(base_url=f"http://localhost:{proxy.port}/v1", api_key="x", max_retries=0) as client:
        ups["b"].script(plain(ANSWER))
        heard = client.audio.transcriptions.create(model="b:whisper-1", file=("a.wav", io.BytesIO(audio)))
        assert heard.text == "heard"
        file = {"id": "file-9", "object": "file", "bytes": 4, "created_at": 1, "filename": "x", "purpose": "batch"}
        ups["b"].script(plain(json.dumps({**file, "status": "processed"}).encode()))
        up = client.files.create(file=("x", b"data"), purpose="batch", extra_body={"model": "b:any"})
        assert up.id == "file-9"
        ups["b"].script(plain(b"data", kind=b"application/octet-stream"))
        assert client.files.content("file-9").read() == b"data"
        batch = {"id": "batch_9", "object": "batch", "status": "validating", "input_file_id": "file-9"}
        batch |= {"completion_window": "24h", "created_at": 1, "endpoint": "/v1/responses"}
        ups["b"].script(plain(json.dumps(batch).encode()))
        made = client.batches.create(input_file_id="file-9", endpoint="/v1/responses", completion_window="24h")
        ups["b"].script(plain(json.dumps(batch).encode()))
        assert client.batches.retrieve(made.id).id == "batch_9"
    first, second, *_ = ups["b"].seen
    assert audio in first.body
    assert b"\r\n\r\nwhisper-1\r\n" in first.body
    assert b"\r\n\r\nany\r\n" in second.body
    assert ups["a"].seen == []


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("path", [PATH, "/v1/files"])
def test_a_large_upload_streams(proxy, ups, sent, path):
    """63 MiB pass while the proxy's memory grows by a few."""
    ups["b"].script(plain(ANSWER))
    before, highest = rss(proxy.process), 0
    file = part(b"file", b"x" * (63 * MIB), b"f")
    body = memoryview(MODEL + file + END)
    with Client(proxy.port) as client:
        client.send(head(path, (b"Content-Length", b"%d" % len(body))))
        for at in range(0, len(body), MIB):
            client.send(body[at : at + MIB])
            highest = max(highest, rss(proxy.process))
        assert client.answer().status == 200
    assert len(ups["b"].seen[-1].body) == len(body) - 2
    assert highest - before < 8 * MIB


def test_a_client_that_stops_sending(tmp_path, monkeypatch):
    """30 s (here 0.3) without a byte of the body is a 408; the upstream is left unfinished."""
    monkeypatch.setattr(serve, "Limits", partial(Limits, body=0.3))
    early = Early(b"")
    with Threaded(tmp_path, backends=[backend("e", early.root)]) as proxy, Client(proxy.port) as client:
        client.send(head(PATH, (b"Content-Length", b"9000000")) + part(b"model", b"e:m"))
        client.send(part(b"file", b"x" * 1000, b"f"))
        answer = client.answer()
    assert answer.status == 408
    assert "stopped arriving" in answer.json()["error"]["message"]
    assert early.closed.wait(PATIENCE)


def test_over_the_limit(proxy, ups, sent):
    """Over 64 MiB is a 413, also where the length shows only while it comes."""
    with Client(proxy.port) as client:
        client.send(head(PATH, (b"Content-Length", b"%d" % (65 * MIB))))
        assert client.answer().status == 413
    ups["b"].script(plain(ANSWER))
    with Client(proxy.port) as client:
        client.send(head(PATH, (b"Transfer-Encoding", b"chunked")) + b"%x\r\n%b\r\n" % (len(MODEL), MODEL))
        piece = b"%x\r\n%b\r\n" % (MIB, b"y" * MIB)
        client.send(b"%x\r\n%b\r\n" % (len(part(b"x", b"")), part(b"x", b"")))
        for _ in range(64):
            client.send(piece)
        assert client.answer().status == 413
    assert ups["b"].seen == []


class Early:
    """An upstream that answers once it has the head, and reads no more, or reads on."""

    def __init__(self, answer, *, patience=0.0):
        self.received = 0
        self.closed = threading.Event()
        self._answer, self._patience = answer, patience
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.root = f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            sock, _ = self._listener.accept()
            with sock:
                found, rest = recv_until(sock, b"", b"\r\n\r\n")
                if found is None:
                    continue
                if found.startswith(b"GET "):
                    sock.sendall(plain(b'{"data":[{"id":"early-model"}]}'))
                    continue
                self.received = len(rest)
                if self._answer:
                    sock.sendall(self._answer)
                    time.sleep(self._patience)
                try:
                    while data := sock.recv(65536):
                        self.received += len(data)
                except ConnectionError:
                    pass
                self.closed.set()


@pytest.fixture
def through(tmp_path):
    """A proxy in front of such an upstream."""
    proxies = []

    def make(upstream):
        proxies.append(Proxy(tmp_path, backends=[backend("e", upstream.root)]))
        return proxies[-1]

    yield make
    for proxy in proxies:
        assert proxy.stop() == 0, proxy.said()


def test_an_early_answer_ends_the_sending(through):
    """An upstream that refuses before it has read the body: its answer is relayed, its connection not used again."""
    refusal = b'{"error":{"message":"too long","type":"invalid_request_error","param":null,"code":null}}'
    early = Early(plain(refusal, b"413 Content Too Large"), patience=0.5)
    proxy = through(early)
    body = part(b"model", b"e:m") + part(b"file", b"x" * (20 * MIB), b"f") + END
    answer = ask(proxy.port, PATH, body, kind=KIND)
    assert (answer.status, answer.body) == (413, refusal)
    assert early.closed.wait(PATIENCE)
    assert early.received < len(body)


@pytest.mark.parametrize("abrupt", [False, True])
def test_a_client_that_leaves(through, abrupt):
    """Its upload ends upstream at once, unfinished."""
    early = Early(b"")
    proxy = through(early)
    with Client(proxy.port) as client:
        client.send(head(PATH, (b"Content-Length", b"9000000")) + part(b"model", b"e:m"))
        client.send(part(b"file", b"x" * 100_000, b"f")[:90_000])
        assert until(lambda: early.received)
        if abrupt:
            client.abort()
    assert early.closed.wait(PATIENCE)
    assert 0 < early.received < 200_000
