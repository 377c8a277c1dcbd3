"""`fairlead log` and `top`: what has ended, a line each, and what runs now."""

import json
import os
import pty
import re
import select
import signal
import time

import msgspec
import pytest

from router.cli.watch.request_line import format_head, format_line, format_running_line
from router.operator_api.status import RunningRequest
from router.store.history.read_requests import RecordedAttempt

from ...patience import PATIENCE
from ...watch.test_request_filter import FAILED, OPUS, recorded

TIME = re.compile(r"\d\d:\d\d:\d\d")


def post(proxy, model="demo"):
    """One request to a demo backend."""
    import urllib.error
    import urllib.request

    url = next(found[0] for line in proxy.lines if (found := re.search(r"http://localhost:\d+", line)))
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    asked = urllib.request.Request(f"{url}/v1/chat/completions", body, {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=PATIENCE) as answer:
            return answer.headers["x-fairlead-request-id"]
    except urllib.error.HTTPError as error:
        return error.headers["x-fairlead-request-id"]


@pytest.fixture
def serving(fairlead):
    """A proxy with the demo alone."""
    return fairlead.start("proxy", "--port", "0")


@pytest.mark.parametrize("width", [20, 40, 72, 80, 120, 200, None])
@pytest.mark.parametrize("found", [OPUS, FAILED, recorded(id="req_9", model="x" * 999, error="e" * 9999)])
def test_a_line_fits_the_terminal(width, found):
    """Columns that have no room are left out; the line never breaks, and its columns stand below their names."""
    line, head = format_line(found, width), format_head(width)
    assert "\n" not in line
    if width is not None and width >= 24:
        assert len(line) <= width
    if width is None or width >= 40:
        at = head.index("model")
        assert line[at : at + 4] == found.model[:4]


def test_what_a_line_says_at_its_end():
    """An error; else from where the request was moved, what a translation lost, and what a cache lost."""
    tried = RecordedAttempt(
        at_ms=3, backend="box", account="work", status=429, error="rate", done="moved", note="", text=""
    )
    moved = recorded(id="req_9", model="m", status=200, tries=[tried], losses=["thinking=dropped"], cache_lost=12_000)
    assert format_line(FAILED, None).endswith("  Overloaded")
    line = format_line(moved, None)
    assert line.endswith("  moved from box/work (429); lost in translation: thinking; 12k cached tokens lost")


def test_what_runs_as_a_line():
    """Below the same head: what came so far, what it waits for, who is asked; it fits, and names stay text."""
    one = RunningRequest(
        id="req_1",
        age_s=41.0,
        model="claude-opus-5\x1b[2J",
        client="claude-code",
        tag="",
        backend="anthropic",
        account="work",
        attempts=2,
        tokens=1204,
        waits="",
    )
    line = format_running_line(one, 1_795_891_327.0, None)
    assert line.endswith("  1,204 tokens; answering; anthropic/work; attempt 2")
    assert line.isprintable()
    assert "41 s" in line
    waiting = msgspec.structs.replace(one, tokens=None, waits="a turn at openai", backend="", attempts=0)
    assert format_running_line(waiting, 1_795_891_327.0, None).endswith("  waits for a turn at openai")
    for width in (40, 80, 120):
        assert len(format_running_line(one, 1_795_891_327.0, width)) <= width


@pytest.mark.parametrize("text", ["\x1b[2Jx", "a\nb", "\u202egnp", "<b>x</b>", "\x00"])
def test_hostile_names_are_text(text):
    """Nothing of a name or an error reaches the terminal as a control character, and a line stays one line."""
    found = recorded(id="req_9", model=text, client=text, error="bad", error_text=text, status=500)
    assert format_line(found, None).isprintable()


def test_log(fairlead, serving):
    """The newest requests, oldest first, of which a filter leaves those that it fits; without one it is said."""
    good, bad = post(serving), post(serving, "demo-500")
    done = fairlead("log")
    assert done.code == 0
    assert [line.split()[1] for line in done.out.splitlines()] == ["200", "500"]
    assert TIME.match(done.out)
    assert [json.loads(line)["id"] for line in fairlead("log", "--json").out.splitlines()] == [good, bad]
    assert [json.loads(line)["id"] for line in fairlead("log", "--json", "-n", "1").out.splitlines()] == [bad]
    [only] = fairlead("log", "--json", "--filter", "status:ok").out.splitlines()
    assert json.loads(only)["id"] == good
    done = fairlead("log", "--filter", "model:nothing")
    assert (done.code, done.out) == (0, "")
    assert "None of the newest 2 requests fits." in done.err


def test_log_of_an_empty_home(fairlead):
    """It says that there is nothing yet, and how something comes."""
    done = fairlead("log")
    assert (done.code, done.out) == (0, "")
    assert "No requests recorded yet" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["log", "--filter", "modle:x"], "the nearest is model"),
        (["top", "--filter", "modle:x", "--once"], "the nearest is model"),
        (["log", "-n", "-1"], "-n takes a number"),
        (["log", "-n", "99999"], "fairlead history export"),
        (["top", "--interval", "soon"], "a number with a unit"),
    ],
)
def test_mistakes(fairlead, arguments, said):
    """They are named, with what is expected; exit code 2."""
    done = fairlead(*arguments)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())


def read_some(descriptor):
    """What has come, in time."""
    ready, _, _ = select.select([descriptor], [], [], PATIENCE)
    assert ready, "nothing came"
    return os.read(descriptor, 65536)


class Lines:
    """What a process that goes on writes, line by line; a line that does not come fails the test."""

    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._data = b""

    def next(self):
        """The next line."""
        while b"\n" not in self._data:
            piece = read_some(self._descriptor)
            assert piece, "the process ended"
            self._data += piece
        line, _, self._data = self._data.partition(b"\n")
        return line.decode()

    def close(self):
        """Read no more."""
        os.close(self._descriptor)


def follow(fairlead, *arguments):
    """A command that goes on, and its lines."""
    fairlead.forks = False
    reading, writing = os.pipe()
    with open(os.devnull, "rb") as nothing, os.fdopen(writing, "wb"):
        process = fairlead.begin(arguments, [nothing.fileno(), writing, writing])
    return process, Lines(reading)


def test_log_goes_on(fairlead):
    """It begins without a proxy, shows what ends from then on, tells that proxies come and go, and ends at Ctrl-C."""
    process, lines = follow(fairlead, "log", "-f", "--filter", "status:ok")
    assert "No proxy is running" in lines.next()
    fairlead.forks = True
    serving = fairlead.start("proxy", "--port", "0")
    assert "serves now" in lines.next()
    post(serving, "demo-500")
    post(serving)
    assert lines.next().split()[1] == "200"
    fairlead("stop")
    assert "has ended" in lines.next()
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    lines.close()


def test_top_as_json(fairlead, serving):
    """An object a look: what the proxies report, the sums, and each request once, in the look after its end."""
    post(serving)
    fairlead("why", "-")
    process, lines = follow(fairlead, "top", "--json", "--interval", "200ms")
    first = json.loads(lines.next())
    assert (first["schema"], first["ended"], len(first["proxies"])) == (1, [], 1)
    last = post(serving)
    ended = []
    deadline = time.monotonic() + PATIENCE
    while not ended and time.monotonic() < deadline:
        look = json.loads(lines.next())
        ended += [one["id"] for one in look["ended"]]
    assert ended == [last]
    assert look["last_minute"]["requests"] == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    lines.close()


def test_top_once(fairlead):
    """Without a proxy it says so, and shows what was recorded; with one, what that serves."""
    done = fairlead("top", "--once")
    assert done.code == 1
    assert "no fairlead proxy is running" in done.out
    serving = fairlead.start("proxy", "--port", "0")
    post(serving)
    fairlead("why", "-")
    done = fairlead("top", "--once")
    assert done.code == 0
    assert "1 request in the last minute" in done.out
    assert "Nothing runs now." in done.out
    fairlead("stop")
    assert "demo" in fairlead("top", "--once").out


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal")
def test_top_on_a_terminal(fairlead, serving):
    """It redraws on the other screen, at the top of it, and gives the first one back at Ctrl-C."""
    fairlead.forks = False
    main, other = pty.openpty()
    process = fairlead.begin(["top", "--interval", "200ms"], [other, other, other], COLUMNS="80")
    os.close(other)
    seen = b""
    while seen.count(b"\x1b[H") < 3:
        seen += read_some(main)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0
    while b"\x1b[?1049l" not in seen:
        seen += read_some(main)
    os.close(main)
    assert seen.startswith(b"\x1b[?1049h")
    assert b"serving the demo alone" in seen
