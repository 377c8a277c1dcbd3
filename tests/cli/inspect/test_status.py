"""`fairlead status`: how a proxy and its backends are, what runs and what was spent, in lines that fit the terminal."""

import json
import os
import pty
import signal
import subprocess
import sys

import pytest

from router.cli.common.offers import Offer
from router.cli.inspect.status_lines import Screen, format_screen
from router.net.control import local_servers
from router.operator_api.accounts import AccountLimit, AccountStatus
from router.operator_api.guard import GuardStatus, HaltReport, NotCounted
from router.operator_api.status import (
    AnswerCacheStatus,
    BackendStatus,
    CaptureStatus,
    ConnectionCounts,
    HistoryStatus,
    Queue,
    RunningRequest,
    Status,
    Vitals,
)
from router.store.history.read_usage import UsageSums
from router.store.home.home import open_home

from ...local_servers import model_server
from ...patience import PATIENCE
from ..setup.conftest import InProcess

IDLE = Queue(running=0, waiting=0, limit=1000, most=1000, stalled_s=None, limits={})
VITALS = Vitals(
    stalled_s=None, waiting=0, loop_lag_ms=0, worst_loop_lag_ms=0, clock_jumps=0, network_changes=0, bounds={}
)


def account(
    alias="default", state="ready", reason="ready", until=None, headroom=1.0, limits=(), running=0, first=False
):
    return AccountStatus(
        alias=alias,
        state=state,
        reason=reason,
        until_s=until,
        headroom=headroom,
        limits=list(limits),
        running=running,
        next=first,
    )


def backend(name, *accounts, models=0, problem=None, running=0, waiting=0):
    queue = Queue(running=running, waiting=waiting, limit=1000, most=1000, stalled_s=None, limits={})
    return BackendStatus(
        name=name,
        protocols=["chat"],
        enabled=True,
        models=models,
        problem=problem,
        accounts=list(accounts) or [account()],
        queue=queue,
    )


def running(age, model, waits="", tokens=None, client="claude-code", backend="anthropic", account="work", attempts=1):
    return RunningRequest(
        id="req_1",
        age_s=age,
        model=model,
        client=client,
        tag="",
        backend=backend,
        account=account,
        attempts=attempts,
        tokens=tokens,
        waits=waits,
    )


def status(*backends, requests=(), problems=(), guard=None, capture=False, history=None):
    """What a proxy reports."""
    return Status(
        schema=1,
        version="0.2.0",
        pid=4121,
        url="http://localhost:3456",
        uptime_s=7200.0,
        loaded=True,
        backends=list(backends),
        models=[],
        problems=list(problems),
        upstream_connections=ConnectionCounts(open=0, idle=0),
        buffered_bytes=0,
        dropped_log_lines=0,
        history=HistoryStatus(problem=history, dropped=0, path="/h/history.db", elsewhere=None),
        capture=CaptureStatus(on=capture, folder="/h/captures", dropped=0, problem=None),
        guard=guard or GuardStatus(state="off"),
        vitals=VITALS,
        running=list(requests),
        running_count=len(requests),
    )


TODAY = UsageSums(
    name="",
    requests=148,
    errors=3,
    estimated=0,
    unpriced=12,
    tokens_in=0,
    tokens_out=0,
    cache_read=0,
    cache_write=0,
    reasoning=0,
    cost_usd=3.84,
    cached_share=None,
    share=1.0,
    first_byte_ms={},
    total_ms={},
)
FULL = status(
    backend(
        "anthropic",
        account(
            "work", headroom=0.18, limits=[AccountLimit(name="5h", used=0.82, resets_s=600)], running=2, first=True
        ),
        account("personal", "cooling", "cooling for 59 s (401, 60 s and longer each time)", until=59.0),
        models=23,
        running=2,
    ),
    backend("groq", models=40, waiting=1),
    backend("ollama", problem="127.0.0.1:11434 refused the connection"),
    requests=[
        running(41.3, "claude-opus-5", tokens=1204),
        running(2.0, "gpt-5-mini", "a free place at groq (max_concurrent 1)", backend="groq", client=""),
    ],
    problems=["config.toml is not in use"],
    capture=True,
)
WIDE = """\
fairlead 0.2.0   http://localhost:3456   serving for 2 h   2 running   pid 4121
problem  config.toml is not in use
anthropic  up   23 models   2 accounts   2 running
  work     ready   18 % left (5h 82 % in use)   2 running   next
  personal key refused (401), paused for 59 s
groq       up   40 models   1 waiting
ollama     127.0.0.1:11434 refused the connection
old        disabled   fairlead backend enable old

age    model           tool          account          now
41 s   claude-opus-5   claude-code   anthropic/work   answering   1,204 tokens so far
2 s    gpt-5-mini      –             groq/work        waits for a free place at groq (max_concurrent 1)

today    148 requests   3 errors   $3.84   12 requests without a price
capture  bodies are kept in /h/captures; end it: fairlead config set history.capture off
"""
MIDDLE = """\
fairlead 0.2.0   http://localhost:3456   serving for 2 h   2 running   pid 4121
problem  config.toml is not in use
anthropic  up   23 models   2 accounts   2 running
  work     ready   18 % left (5h 82 % in use)   2 running   next
  personal key refused (401), paused for 59 s
groq       up   40 models   1 waiting
ollama     127.0.0.1:11434 refused the connection
old        disabled   fairlead backend enable old

age    model           tool          account
41 s   claude-opus-5   claude-code   anthropic/work
  answering   1,204 tokens so far
2 s    gpt-5-mini      –             groq/work
  waits for a free place at groq (max_concurrent 1)

today    148 requests   3 errors   $3.84   12 requests without a price
capture  bodies are kept in /h/captures; end it:
         fairlead config set history.capture off
"""
NARROW = """\
fairlead 0.2.0   http://localhost:3456
    serving for 2 h   2 running
    pid 4121
problem  config.toml is not in use
anthropic  up   23 models   2 accounts
    2 running
  work     ready   18 % left (5h 82 % in
    use)   2 running   next
  personal key refused (401), paused for
    59 s
groq       up   40 models   1 waiting
ollama     127.0.0.1:11434 refused the
    connection
old        disabled
    fairlead backend enable old

age    model           tool
41 s   claude-opus-5   claude-code
  anthropic/work   answering
  1,204 tokens so far
2 s    gpt-5-mini      –
  groq/work   waits for a free place at
  groq (max_concurrent 1)

today    148 requests   3 errors   $3.84
    12 requests without a price
capture  bodies are kept in /h/captures;
    end it:
 fairlead config set history.capture off
"""


@pytest.mark.parametrize(("width", "shown"), [(40, NARROW), (80, MIDDLE), (200, WIDE), (None, WIDE)])
def test_the_screen(width, shown):
    """Every backend and account in a line, then what runs now, then what was spent; a pipe gets whole lines."""
    screen = Screen(disabled=["old"], today=TODAY, loaded=None, home=None, several=False)
    found = "\n".join(format_screen(FULL, screen, width)) + "\n"
    assert found == shown
    if width is not None:
        assert all(len(line) <= width for line in found.splitlines())


EMPTY = Screen(disabled=[], today=None, loaded=None, home=None, several=False)
HALT = HaltReport(scope="all", since=0, until=9, reason="r", request="req_1")


@pytest.mark.parametrize(
    ("found", "word"),
    [
        (status(backend("a")), "serving for"),
        (status(backend("a", problem="no"), backend("demo")), "no backend can serve for"),
        (status(backend("demo")), "serving the demo alone for"),
        (status(), "running without backends for"),
        (status(backend("a"), guard=GuardStatus(state="halted", halts=[HALT])), "halted for"),
    ],
)
def test_how_the_proxy_is(found, word):
    """The first line says whether it serves."""
    assert word in format_screen(found, EMPTY, None)[0]


def test_many_requests(tmp_path):
    """The list is bounded; how many more there are is said."""
    found = status(backend("a"), requests=[running(number, "m") for number in range(30)])
    lines = format_screen(found, EMPTY, 80)
    assert "... and 10 more" in lines


def test_notes():
    """A history that cannot be written, and several proxies of one home, are said."""
    lines = format_screen(status(backend("a"), history="the disk is full"), EMPTY._replace(several=True), None)
    assert "history  the disk is full" in lines
    assert any(line.startswith("problem  several proxies of this home run") for line in lines)


def test_answers_that_are_kept():
    """Where they are while the cache is on, or what is wrong with it; nothing while it is off."""
    shown = []
    for on, problem in ((True, None), (True, "it is damaged"), (False, None)):
        found = status(backend("a"))
        found.answer_cache = AnswerCacheStatus(on=on, path="/h/answer_cache.db", problem=problem)
        shown.append([line for line in format_screen(found, EMPTY, None) if line.startswith("cache")])
    kept = "cache    answers are kept in /h/answer_cache.db; delete them: fairlead cache clear"
    assert shown == [[kept], ["cache    it is damaged"], []]


def test_calls_that_a_budget_does_not_count(tmp_path):
    """Those whose answers tell no tokens are said, with how many; parts of others stand in the history's lines."""
    missed = [
        NotCounted(backend="a", model="m", requests=3, part="calls of /v1/rerank"),
        NotCounted(backend="a", model="n", requests=2, part="calls of /v1/rerank"),
        NotCounted(backend="a", model="n", requests=1, part="calls of /v1/images/generations"),
        NotCounted(backend="a", model="n", requests=9, part="code execution"),
    ]
    found = status(backend("a"), guard=GuardStatus(state="running", not_counted=missed))
    line = "guard    6 requests are not counted, as their answers tell no cost: /v1/rerank 5, /v1/images/generations 1"
    assert line in format_screen(found, EMPTY, None)
    assert not any("not counted" in line for line in format_screen(status(backend("a")), EMPTY, None))


# With real proxies


def test_without_a_proxy(fairlead):
    """It says so, with the command that starts one."""
    for arguments in ((), ("--json",)):
        done = fairlead("status", *arguments)
        assert (done.code, done.out) == (1, "")
        assert "no fairlead proxy is running." in done.err
        assert "fairlead proxy" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("--watch",), "--watch needs a terminal"), (("--watch", "--json"), "cannot be used together")],
)
def test_slips(fairlead, arguments, said):
    """A pipe is not redrawn."""
    done = fairlead("status", *arguments)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_a_running_proxy(fairlead, provider):
    """Its URL, and a line for each backend, also for one that is disabled; JSON has the fields of /status."""
    added = fairlead("backend", "add", "box", "--base-url", provider.url, "--key-stdin", stdin="sk-good")
    assert added.code == 0, added.err
    again = ("--base-url", provider.url, "--protocols", "chat", "--key-stdin")
    assert fairlead("backend", "add", "old", *again, stdin="sk-good").code == 0
    assert fairlead("backend", "disable", "old").code == 0
    fairlead.start("proxy", "--port", "0")
    done = fairlead("status")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[0].startswith("fairlead ")
    assert "http://localhost:" in lines[0]
    assert any(line.startswith("box ") and " up" in line for line in lines)
    assert "old      disabled   fairlead backend enable old" in lines
    found = json.loads(fairlead("status", "--json").out)
    assert [one["name"] for one in found["backends"]] == ["box", "demo"]
    assert (found["running"], found["running_count"]) == ([], 0)


def test_watching(fairlead):
    """It is drawn again and again on the terminal's other screen, until Ctrl-C, which is no failure."""
    fairlead.start("proxy", "--port", "0")
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "router", "status", "--watch"],
        stdin=subprocess.DEVNULL,
        stdout=there,
        stderr=there,
        env=fairlead.environ,
        cwd=fairlead.folder,
    )
    os.close(there)
    said = b""
    try:
        while said.count(b"serving the demo alone") < 2:
            data = os.read(here, 65536)
            assert data, said
            said += data
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 0
        while not said.endswith(b"\x1b[?1049l"):
            said += os.read(here, 65536)
    finally:
        process.kill()
        process.wait()
        os.close(here)
    assert said.startswith(b"\x1b[?1049h")
    assert b"Traceback" not in said


def test_local_servers_are_offered(tmp_path):
    """A model server that answers and is not configured stands below the rest, with the command that adds it."""
    offer = Offer("ollama", "Ollama 0.13.1 answers at http://127.0.0.1:11434", ("ollama",))
    screen = Screen([], None, None, open_home({"FAIRLEAD_HOME": str(tmp_path / "home")}), several=False, offers=[offer])
    assert format_screen(status(backend("groq", models=40)), screen, 80)[-2:] == [
        "found    Ollama 0.13.1 answers at http://127.0.0.1:11434; add it:",
        "         fairlead backend add ollama",
    ]


def test_a_server_that_answers_is_found(tmp_path, monkeypatch, capsys):
    """`status` looks for it, not `status --json`, whose fields are those of the proxy; one that is added is no more
    offered."""
    fairlead = InProcess(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr("router.cli.inspect.status.SECONDS", 20.0)
    try:
        with model_server("ollama") as (port, seen):
            monkeypatch.setattr(local_servers, "PORTS", {"ollama": port})
            fairlead.start("proxy", "--port", "0")
            code, out, err = fairlead("status")
            assert (code, err) == (0, "")
            assert (
                f"found    Ollama 0.13.1 answers at http://127.0.0.1:{port}; add it: fairlead backend add ollama\n"
                in out
            )
            seen.clear()
            assert "Ollama" not in fairlead("status", "--json").out
            assert seen == []
            assert fairlead("backend", "add", "ollama").code == 0
            assert "found " not in fairlead("status").out
    finally:
        fairlead.close()
