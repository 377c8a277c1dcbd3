"""The access log: it never delays a request, and shows no secret and no control character."""

import json
import os
import stat
import time

import pytest

from router.ir import Usage
from router.settings import Secret
from router.telemetry import log_file
from router.telemetry.accesslog import RING, AccessLog, RequestRecord

from ..growth import grows_evenly
from ..patience import PATIENCE
from ..spellings import SPELLINGS, leaks


def record(**fields):
    always = {"id": "req_1", "started": 1_700_000_000.25, "method": "POST", "path": "/v1/messages"}
    return RequestRecord(**{**always, **fields})


@pytest.fixture
def terminal():
    """A pipe in a terminal's place: its write end, and what reads all of it."""
    read_end, write_end = os.pipe()
    yield write_end, lambda: os.read(read_end, 1 << 20).decode()
    os.close(read_end)
    os.close(write_end)


def test_a_line_of_the_file_is_json(tmp_path):
    """One object a request, with documented fields; times in ms, counts null where unknown."""
    path = tmp_path / "access.log"
    log = AccessLog(0, str(path))
    usage = Usage(input=3, output=4, cache_read=2)
    served = {"backend": "up", "account": "main", "status": 200, "first_byte": 0.0123, "total": 1.5, "usage": usage}
    log.add(record(model="m\n\u202e", **served))
    log.add(record(id="req_2", notes=["model renamed"]))
    log.close()
    first, second = map(json.loads, path.read_text().splitlines())
    assert first == {
        "time": "2023-11-14T22:13:20.250Z",
        "id": "req_1",
        "method": "POST",
        "path": "/v1/messages",
        "protocol": "",
        "model": "m\n\u202e",
        "sent_model": None,
        "backend": "up",
        "account": "main",
        "route": "",
        "status": 200,
        "error": "",
        "attempts": 0,
        "stream": False,
        "first_byte_ms": 12.3,
        "total_ms": 1500.0,
        "tokens_in": 3,
        "tokens_out": 4,
        "tokens_cache_read": 2,
        "tokens_cache_write": None,
        "tokens_cache_write_1h": None,
        "tokens_reasoning": None,
        "answer_cache": "",
        "estimated": False,
        "client": "",
        "billing": "",
        "utilisation": None,
        "queue_ms": 0.0,
        "tag": "",
        "key": "",
        "request_class": "",
        "agent": "",
        "notes": [],
        "error_text": None,
    }
    assert second["notes"] == ["model renamed"]
    assert second["first_byte_ms"] is None


@pytest.mark.skipif(os.name == "nt", reason="POSIX modes")
def test_the_file_is_private_and_appended_to(tmp_path):
    """0600, and what was there stays."""
    path = tmp_path / "access.log"
    for _ in range(2):
        log = AccessLog(0, str(path))
        log.add(record())
        log.close()
    assert len(path.read_text().splitlines()) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_file_is_rotated(tmp_path, monkeypatch):
    """Five files at most, each about as large as allowed; no line is lost in between."""
    monkeypatch.setattr(log_file, "FILE_BYTES", 3000)
    path = tmp_path / "access.log"
    for start in range(0, 40, 8):
        log = AccessLog(0, str(path))
        for number in range(start, start + 8):
            log.add(record(id=f"req_{number}"))
        log.close()
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == ["access.log", *[f"access.log.{number}" for number in range(1, 5)]]
    lines = [line for name in reversed(names) for line in (tmp_path / name).read_text().splitlines()]
    assert [json.loads(line)["id"] for line in lines] == [f"req_{number}" for number in range(40)][-len(lines) :]
    assert len(lines) >= 32


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path):
    """At start, not at the first request."""
    with pytest.raises(OSError, match="access"):
        AccessLog(0, str(tmp_path / "missing" / "access.log"))


def test_nothing_is_printed_unless_asked_for(terminal):
    """verbose 0 leaves the terminal alone, 1 prints a line, 2 bodies too."""
    write_end, read = terminal
    for verbose in (0, 1, 2):
        log = AccessLog(verbose, None, terminal=write_end)
        assert (log.enabled, log.bodies) == (verbose > 0, verbose > 1)
        bodies = {"request_body": b'{"a":1}', "answer_body": b"{}"} if log.bodies else {}
        log.add(record(model=f"model-{verbose}", **bodies))
        log.close()
    shown = read()
    assert "model-0" not in shown
    assert shown.count("model-1") == 1
    assert shown.index("model-2") < shown.index('→ {"a":1}') < shown.index("← {}")
    assert shown.count("→") == 1


def test_a_line_of_the_terminal_says_what_happened(terminal):
    """The model, its backend and account, the result, the time and the tokens."""
    write_end, read = terminal
    log = AccessLog(1, None, terminal=write_end)
    usage = Usage(input=12, output=34)
    log.add(record(model="m", backend="up", account="main", status=200, stream=True, total=1.2345, usage=usage))
    log.add(record(status=0, error="client_gone"))
    log.close()
    served, gone = read().splitlines()
    for part in ("req_1", "m", "up/main", "200", "streamed", "1.234", "in 12", "out 34"):
        assert part in served
    assert "/v1/messages  -  -  plain" in gone
    assert gone.endswith("client_gone")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("a\u202eb", "a\\u202eb"),
        ("a\nb\r", "a\\nb\\r"),
        ("a\u2066b\u200f", "a\\u2066b\\u200f"),
        ("a\x9bb", "a\\x9bb"),
        ("tab\t", "tab\\t"),
        ("gr\u00fc\u00df \u4e2d", "gr\u00fc\u00df \u4e2d"),
    ],
)
def test_text_of_the_network_is_a_literal(silent_log, text, escaped):
    """No control and no bidirectional character reaches a terminal; letters of any language do."""
    assert silent_log.redact(text.encode()) == escaped
    assert escaped in record(model=text).line()
    assert "\n" not in record(model=text, path=text).line()


def test_secrets_are_redacted_by_value(silent_log):
    """Those of the settings and backends, at any place; short ones stay, since they may be parts of words."""
    silent_log.hide([Secret("correct-horse"), None, Secret("abc")])
    silent_log.hide([Secret("second-secret")])
    shown = silent_log.redact(b'{"a":"correct-horse","b":"xsecond-secretx","c":"abc"}')
    assert shown == '{"a":"[redacted]","b":"x[redacted]x","c":"abc"}'


@pytest.mark.parametrize(
    "key",
    [
        "sk-ant-api03-AAAAAAAAAAAAAAAA",
        "sk-proj-abcdefghijklmnop",
        "sk-or-v1-0123456789abcdef",
        "gsk_0123456789abcdefABCD",
        "xai-0123456789abcdef",
        "AIzaSyA0123456789abcdefghijklmnop",
        "Bearer eyJhbGciOi.J9.x",
        "csk-0123456789abcdef",
    ],
)
def test_secrets_are_redacted_by_pattern(silent_log, key):
    """Text in the form of a provider's key is redacted."""
    shown = silent_log.redact(f'{{"note":"it is {key}","x":1}}'.encode())
    assert key not in shown
    assert key[-8:] not in shown
    assert "[redacted]" in shown
    assert '"x":1' in shown


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apiKey",
        "authorization",
        "password",
        "access_token",
        "client_secret",
        "pwd",
        "x-private-key",
        "dbPass",
        "sessionCookie",
        "dd-application-key",
    ],
)
def test_values_of_key_like_names_are_redacted(silent_log, name):
    """Whatever the value looks like: tools pass their users' keys in bodies."""
    shown = silent_log.redact(json.dumps({name: "hunter2hunter2", "model": "m"}).encode())
    assert "hunter2" not in shown
    assert '"model": "m"' in shown


@pytest.mark.parametrize("name", ["signature", "thoughtSignature", "max_tokens", "prompt_cache_key", "keyword"])
def test_values_of_other_names_stay(silent_log, name):
    """Models sign their thinking, and their refusals are about that; numbers and names of caches are no secrets."""
    assert "hunter2hunter2" in silent_log.redact(json.dumps({name: "hunter2hunter2", "model": "m"}).encode())


def test_a_full_pipe_never_holds_up_a_request(eventually):
    """Of a pipe that is not read, lines are dropped and counted, `add` returns at once, and `close` in bounded time."""
    read_end, write_end = os.pipe()
    log = AccessLog(1, None, terminal=write_end)
    try:
        long = record(model="m" * 500)
        for _ in range(400):  # over any pipe's buffer
            log.add(long)
        eventually(lambda: not log._ring)
        began = time.perf_counter()
        for _ in range(RING + 50):
            log.add(long)
        assert time.perf_counter() - began < 1
        assert log.dropped == 50
        began = time.perf_counter()
        log.close(0.05)
        assert time.perf_counter() - began < 1
    finally:
        os.close(read_end)  # the write under way fails, and the thread ends
        log._thread.join(PATIENCE)
        os.close(write_end)
    assert not log._thread.is_alive()


def test_a_reader_that_left_costs_lines_not_requests(eventually):
    """A closed pipe: every line is counted as dropped, and the log goes on."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    log = AccessLog(1, None, terminal=write_end)
    log.add(record())
    eventually(lambda: log.dropped == 1)
    log.add(record())
    log.close()
    assert log.dropped == 2
    os.close(write_end)


def test_a_plain_line_goes_to_the_terminal(terminal):
    """Internal errors are printed even where requests are not."""
    write_end, read = terminal
    log = AccessLog(1, None, terminal=write_end)
    log.add("internal error: X")
    log.close()
    assert read() == "internal error: X\n"


@pytest.mark.parametrize(
    "part",
    ["\\", '\\"', '"', '": "', '"a"  :', " ", '"api_key":"', "\\\\n", "sk-", "Bearer ", "key_", "sk_aaaaaaaaaa "],
)
@pytest.mark.parametrize("before", ["", '{"messages":["', '"token":"'])
def test_redaction_grows_with_the_text(silent_log, before, part):
    """A captured body of backslashes, quotes or beginnings of keys takes no longer than another one."""

    def make(size):
        return (before + part * (size // len(part))).encode()

    grows_evenly(make, silent_log.remove_secrets, 64 << 10)


@pytest.mark.parametrize("slashes", range(6))
def test_secrets_behind_any_number_of_backslashes_are_redacted(silent_log, slashes):
    """As in JSON inside JSON inside JSON, and in bodies that are no JSON."""
    mark = "\\" * slashes + '"'
    for text in (f"{{{mark}api_key{mark}: {mark}hunter2{mark}}}", f"\\\\ {mark}token{mark}:{mark}hunter2"):
        assert "hunter2" not in silent_log.remove_secrets(text.encode())


def test_a_plain_line_is_escaped(terminal):
    """What an upstream says, as in the reason of a halt, does not act on the terminal; line ends stay."""
    write_end, read = terminal
    log = AccessLog(1, None, terminal=write_end)
    log.add("guard: halted: over\x1b]0;pwned\x07 \u202e\nsecond line")
    log.close()
    assert read() == "guard: halted: over\\x1b]0;pwned\\x07 \\u202e\nsecond line\n"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_redacted_in_each_spelling(silent_log, spelling):
    """In the bodies of -vv, in captures and in the texts of the history."""
    secret = "own/key+0123456789~of&the=proxy"
    silent_log.hide([Secret(secret)])
    shown = silent_log.redact(f'{{"text":"it is {SPELLINGS[spelling](secret)}."}}'.encode())
    assert not leaks(secret, shown.encode())
    assert "[redacted]" in shown
