"""Attacks on what a proxy passes on of its upstreams: keys that are repeated, and texts that act on who reads them."""

import base64
import gzip
import json

import pytest

from ..e2e.processes import Proxy, backend
from ..e2e.samples import CHAT, MESSAGES
from ..e2e.upstream import END, Upstream, chunk, close, head, plain, stream_head
from ..e2e.wire import ask
from ..spellings import leaks
from .probe import Probe

KEY = "sk-attacks/ab+cd=0123456789-XyZ"
PASSWORD = "Bearer gw-9876543210-secret"
SPELLED = KEY.encode()
B64 = base64.b64encode(b"u:" + SPELLED)
ERROR = b'{"error":{"message":"bad key %s","type":"invalid_request_error"}}'
WHOLE = ERROR % SPELLED
BEGUN = b"".join(map(chunk, CHAT.events[: CHAT.begun]))
LATE = b'data: {"error":{"message":"bad %s"}}\n\n'

PROBES = {
    "interim answers": Probe("key in the fields of a 103 before the error", "interim heads are not relayed"),
    "trailers": Probe("key in the trailers of a chunked error", "trailers are not relayed"),
    "chunk extension": Probe("key in the extension of each chunk", "chunks are framed anew"),
    "field name": Probe("key as the name of a field of an error", "the field is left out"),
    "file name": Probe("key percent-coded in content-disposition of a 200", "the value is blotted"),
    "HEAD": Probe("key in a field of the answer to HEAD", "the value is blotted"),
    "204": Probe("key in a field of a 204", "the value is blotted"),
    "304": Probe("key in the etag of a 304", "the value is blotted"),
    "HTTP 1.0": Probe("error in HTTP/1.0 that ends with the connection", "the body is blotted"),
    "gzip in gzip": Probe("error coded twice", "the decoded body is blotted"),
    "member name": Probe("key as the name of a JSON member", "the name is blotted"),
    "UTF-16": Probe("JSON error in UTF-16", "answered by an error of fairlead without the key"),
    "CR events": Probe("late error event whose lines end in CR", "the event is blotted"),
    "error after the end": Probe("error event behind [DONE]", "the event is blotted"),
    "comment": Probe("key in a comment behind a late error", "the comment is blotted"),
    "retry": Probe("upstream repeats key and gateway password at 500 each try", "both are blotted in the last answer"),
    "translated late": Probe("late error of Chat to a Messages caller", "the translated event is blotted"),
    "upload": Probe("multipart upload is answered by an early 413 with the key", "the body is blotted"),
    "at the bound": Probe("error of one MiB with the key at its end", "blotted or replaced by an error of fairlead"),
    "lies about JSON": Probe("page with a JSON type, key in its title", "quoted without the key"),
    "long echo": Probe("422 repeats a prompt of 200 KB", "passed on byte for byte"),
    "terminal": Probe("escape sequences in body, fields and reason with -vv", "the terminal gets them escaped"),
    "status line": Probe("escape sequences in the reason phrase", "the reason is relayed without them"),
    "basic": Probe("request field echoed as Basic login in a 401 challenge", "the value is blotted"),
    "unnamed late error": Probe("events of detail, message, a comment, a page, with the key", "the key is blotted"),
    "unnamed first error": Probe("a stream that begins with a detail that holds the key", "the key is blotted"),
    "unnamed error in a 200": Probe("a 200 with a detail that holds the key, in gzip", "the key is blotted"),
    "stream of no protocol": Probe("the key in an event of a speech stream", "the key is blotted"),
}


@pytest.fixture(scope="module")
def listening():
    up = Upstream()
    yield up
    up.stop()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory, listening):
    """A proxy that prints all it can."""
    folder = tmp_path_factory.mktemp("leaks")
    entries = [
        backend("box", listening.root, auth="key", key=KEY),
        backend("talk", listening.root, protocols=("chat",), auth="key", key=KEY) | {"added": 1},
    ]
    home = folder / "home"
    home.mkdir(mode=0o700)
    config = home / "config.toml"
    config.write_text(f'[backends.box]\nset_headers = {{ "x-gateway-auth" = "{PASSWORD}" }}\n')
    config.chmod(0o600)
    with Proxy(folder, "-vv", backends=entries, settings={"FAIRLEAD_DEFAULT_BACKEND": "box"}) as running:
        running.settled("box", "talk")
        yield running


@pytest.fixture
def upstream(listening):
    listening.clear()
    return listening


HELLO = b'{"model":"talk:m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]}'


def _ask(proxy, upstream, *steps, stream=False, protocol=CHAT, path=None, method=None, body=None):
    """One request, answered so each time; the answer, in which no key may be read."""
    upstream.default = steps
    for _ in range(4):
        upstream.script(*steps)
    if method is None and body is None:
        body = protocol.body("box:m", stream=stream)
    answer = ask(proxy.port, path or protocol.path, body, method=method)
    for part in (answer.line, answer.body, *(part for line in answer.lines for part in line)):
        assert not leaks(KEY, part), part
        assert not leaks(PASSWORD[7:], part), part
    return answer


def _error(body=WHOLE, *fields, status=b"400 No", kind=b"application/json"):
    return plain(body, status, *fields, kind=kind)


def _says(answer, *words):
    text = answer.body.decode()
    assert all(word in text for word in words), text


def _late(proxy, upstream, *events, **options):
    answer = _ask(proxy, upstream, stream_head() + BEGUN + b"".join(map(chunk, events)) + END, stream=True, **options)
    assert answer.status == 200
    return answer


def interim_answers(proxy, upstream):
    answer = _ask(proxy, upstream, b"HTTP/1.1 103 Hints\r\nlink: <%s>\r\n\r\n" % SPELLED + _error())
    assert answer.field(b"link") is None
    _says(answer, "bad key [redacted]")


def trailers(proxy, upstream):
    start = head(b"400 No", (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked"))
    answer = _ask(proxy, upstream, start + chunk(WHOLE) + b"0\r\nx-key: " + SPELLED + b"\r\n\r\n")
    assert answer.field(b"x-key") is None
    _says(answer, "[redacted]")


def chunk_extension(proxy, upstream):
    start = head(b"400 No", (b"content-type", b"application/json"), (b"transfer-encoding", b"chunked"))
    body = ERROR % b"x"
    answer = _ask(proxy, upstream, start + b"%x;k=%s\r\n%s\r\n0\r\n\r\n" % (len(body), SPELLED[:11], body))
    assert answer.body == body


def field_name(proxy, upstream):
    name = SPELLED.replace(b"/", b"%2f").replace(b"=", b"%3d")
    answer = _ask(proxy, upstream, _error(ERROR % b"x", (b"x-" + name, b"1"), (b"x-good", b"1")))
    assert answer.field(b"x-good") == b"1"


def file_name(proxy, upstream):
    value = b"attachment; filename*=UTF-8''" + b"".join(b"%%%02x" % byte for byte in SPELLED)
    answer = _ask(proxy, upstream, plain(b"data", b"200 OK", (b"content-disposition", value)), path="/v1/files")
    assert answer.field(b"content-disposition") == b"attachment; filename*=UTF-8''[redacted]"


def head_answer(proxy, upstream):
    answer = _ask(proxy, upstream, head(b"401 No", (b"x-echo", SPELLED)), path="/v1/files/f", method="HEAD")
    assert answer.field(b"x-echo") == b"[redacted]"


def no_content(proxy, upstream):
    answer = _ask(proxy, upstream, head(b"204 No", (b"x-echo", B64)), path="/v1/moderations")
    assert b"[redacted]" in answer.field(b"x-echo")


def not_modified(proxy, upstream):
    answer = _ask(proxy, upstream, head(b"304 No", (b"etag", b'"%s"' % SPELLED)), path="/v1/files/f", method="GET")
    assert answer.field(b"etag") == b'"[redacted]"'


def http_1_0(proxy, upstream):
    start = b"HTTP/1.0 401 No\r\ncontent-type: application/json\r\n\r\n"
    _says(_ask(proxy, upstream, start + WHOLE[:40], WHOLE[40:], close), "[redacted]")


def gzip_in_gzip(proxy, upstream):
    body = gzip.compress(gzip.compress(WHOLE))
    answer = _ask(proxy, upstream, _error(body, (b"content-encoding", b"gzip, gzip")))
    assert answer.json()["error"]["message"] == "bad key [redacted]"


def member_name(proxy, upstream):
    answer = _ask(proxy, upstream, _error(b'{"error":{"message":"no","keys":{"%s":1}}}' % SPELLED))
    assert answer.json()["error"]["keys"] == {"[redacted]": 1}


def utf_16(proxy, upstream):
    body = WHOLE.decode().encode("utf-16-le")
    answer = _ask(proxy, upstream, _error(body, kind=b"application/json; charset=utf-16le"))
    assert not leaks(KEY, answer.body.replace(b"\0", b"").replace(b"\\u0000", b"").replace(b" ", b""))


def cr_events(proxy, upstream):
    _says(_late(proxy, upstream, (LATE % SPELLED).replace(b"\n", b"\r")), "[redacted]")


def error_after_the_end(proxy, upstream):
    events = (*CHAT.events[CHAT.begun :], LATE % SPELLED)
    _late(proxy, upstream, b"".join(events))


def comment(proxy, upstream):
    _says(_late(proxy, upstream, LATE % b"x", b": " + B64 + b"\n\n"), "[redacted]")


def retry(proxy, upstream):
    both = ERROR % (SPELLED + b" " + PASSWORD[7:].encode())
    answer = _ask(proxy, upstream, _error(both, status=b"500 No"))
    _says(answer, "[redacted] [redacted]")


def translated_late(proxy, upstream):
    answer = _late(proxy, upstream, LATE % SPELLED.replace(b"/", b"\\/"), body=HELLO, protocol=MESSAGES)
    _says(answer, "event: error", "[redacted]")


def upload(proxy, upstream):
    body = b'--b\r\ncontent-disposition: form-data; name="model"\r\n\r\nbox:m\r\n--b--\r\n'
    for _ in range(4):
        upstream.script(_error(status=b"413 No"))
    kind = (b"Content-Type", b"multipart/form-data; boundary=b")
    answer = ask(proxy.port, "/v1/audio/transcriptions", body, kind=kind)
    assert not leaks(KEY, answer.body)
    assert answer.json()["error"]["message"] == "bad key [redacted]"


def at_the_bound(proxy, upstream):
    for size in ((1 << 20) - 1, 1 << 20, (1 << 20) + 1):
        body = ERROR % (b"x" * (size - len(WHOLE)) + SPELLED)
        assert len(body) == size
        assert _ask(proxy, upstream, _error(body)).status == 400


def lies_about_json(proxy, upstream):
    answer = _ask(proxy, upstream, _error(b"<html><title>No %s</title>" % SPELLED))
    _says(answer, "an HTML page (No [redacted])")


def long_echo(proxy, upstream):
    prompt = json.dumps({"detail": [{"input": 'Say "hi" to C:\\x & co.\n' * 8000}]}).encode()
    assert _ask(proxy, upstream, _error(prompt, status=b"422 No")).body == prompt


def terminal(proxy, upstream):
    bad = "\x1b]0;pwned\x07\u202e".encode()
    _ask(proxy, upstream, _error(b"text " + bad + SPELLED, (b"x-bad", b"\x1b[31m"), kind=b"text/plain"))
    _ask(proxy, upstream, b"HTTP/1.1 200 \x1b[31mOK\r\nno colon \x1b[31m\r\n\r\n")
    ask(proxy.port, CHAT.path, b'{"model":"\x1b[31m"}')
    said = proxy.log.read_bytes()
    assert b"\x1b" not in said
    assert b"\x07" not in said
    assert "\u202e".encode() not in said
    assert not leaks(KEY, said)


def status_line(proxy, upstream):
    answer = _ask(proxy, upstream, _error(ERROR % b"x", status=b"400 \x1b]0;x\x07No"))
    assert answer.line == b"HTTP/1.1 400 ]0;xNo"


def basic(proxy, upstream):
    answer = _ask(proxy, upstream, _error(ERROR % b"x", (b"www-authenticate", b"Basic " + B64), status=b"401 No"))
    assert b"[redacted]" in answer.field(b"www-authenticate")


_UNNAMED = (
    *(b'data: {"detail":"bad %s"}\n\n', b'data: {"object":"error","message":"%s"}\n\n'),
    *(b": bad %s\n\n", b"<b>%s\n\n"),
)


def unnamed_late_error(proxy, upstream):
    sent = (*(event % SPELLED for event in _UNNAMED), *CHAT.events[CHAT.begun :])
    answer = _late(proxy, upstream, *sent)
    assert all(event % b"[redacted]" in answer.body for event in _UNNAMED)


def unnamed_first_error(proxy, upstream):
    events = _UNNAMED[0] % SPELLED + b"".join(CHAT.events)
    answer = _ask(proxy, upstream, stream_head() + chunk(events) + END, stream=True)
    _says(answer, "bad [redacted]", "[DONE]")


def unnamed_error_in_a_200(proxy, upstream):
    body = b'{"detail":"bad %s"}'
    packed = plain(gzip.compress(body % SPELLED), b"200 OK", (b"content-encoding", b"gzip"))
    answer = _ask(proxy, upstream, packed)
    assert answer.body == body % b"[redacted]"
    assert answer.field(b"content-encoding") is None


def stream_of_no_protocol(proxy, upstream):
    steps = stream_head() + chunk(b"data: {}\n\n") + chunk(_UNNAMED[0] % SPELLED) + END
    _says(_ask(proxy, upstream, steps, path="/v1/audio/speech", body=CHAT.body("box:m")), "bad [redacted]")


RUNS = {
    "interim answers": interim_answers,
    "trailers": trailers,
    "chunk extension": chunk_extension,
    "field name": field_name,
    "file name": file_name,
    "HEAD": head_answer,
    "204": no_content,
    "304": not_modified,
    "HTTP 1.0": http_1_0,
    "gzip in gzip": gzip_in_gzip,
    "member name": member_name,
    "UTF-16": utf_16,
    "CR events": cr_events,
    "error after the end": error_after_the_end,
    "comment": comment,
    "retry": retry,
    "translated late": translated_late,
    "upload": upload,
    "at the bound": at_the_bound,
    "lies about JSON": lies_about_json,
    "long echo": long_echo,
    "terminal": terminal,
    "status line": status_line,
    "basic": basic,
    "unnamed late error": unnamed_late_error,
    "unnamed first error": unnamed_first_error,
    "unnamed error in a 200": unnamed_error_in_a_200,
    "stream of no protocol": stream_of_no_protocol,
}


def test_each_probe_is_run():
    """A claim without a test is none."""
    assert RUNS.keys() == PROBES.keys()


@pytest.mark.parametrize("name", PROBES)
def test_a_probe(proxy, upstream, name):
    """It gives what its line says."""
    RUNS[name](proxy, upstream)
