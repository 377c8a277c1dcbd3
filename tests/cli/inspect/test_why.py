"""`fairlead why`: why a request went where it went, why it failed, and what to do next."""

import json
import time

import pytest

from router.cli.inspect import why
from router.errors import CommandError
from router.policy.accounts.attempt import AttemptRecord
from router.store.history.read_requests import RECORDED, RecordedAttempt
from router.store.home.home import open_home
from router.watch.next_step import find_next_step
from router.wire.neutral.tool_forms.hosted_tools import NO_WEB_SEARCH

from .test_usage import add

ARROW = "\N{RIGHTWARDS ARROW}"
FAILED = {
    "id": "req_1111",
    "model": "foo1",
    "served": "gpt-9",
    "protocol": "chat",
    "client": "codex",
    "backend": "groq",
    "account": "work",
    "route": 'alias fast, rule "long context"',
    "status": 502,
    "error": "api_error",
    "error_text": "The name api.groq.com could not be resolved: Name or service not known.",
    "attempts": 2,
    "total": 1.5,
    "queued": 1.2,
    "tries": (
        AttemptRecord(
            at=0.003,
            backend="groq",
            account="home",
            status=401,
            error="upstream_error",
            done="cooled",
            text="Incorrect API key provided",
        ),
        AttemptRecord(
            at=0.009,
            backend="groq",
            account="work",
            error="api_error",
            text="The name api.groq.com could not be resolved: Name or service not known.",
        ),
    ),
    "notes": "waited 1.2 s for an account of groq to be ready",
}
WIDE = f"""\
req_1111   foo1   codex   chat   502   1.5 s
  time       TIME
  route      alias fast, rule "long context"   sent as gpt-9
  asked      groq/work   2 attempts   queued 1.2 s
  +3 ms      groq/home   401: Incorrect API key provided {ARROW} cooled
  +9 ms      groq/work   no answer: The name api.groq.com could not be resolved: Name or service not known.
  error      The name api.groq.com could not be resolved: Name or service not known.   (api_error)
  next       check the network, the VPN and the base URL: fairlead backend test groq
  note       waited 1.2 s for an account of groq to be ready
"""
MIDDLE = f"""\
req_1111   foo1   codex   chat   502   1.5 s
  time       TIME
  route      alias fast, rule "long context"   sent as gpt-9
  asked      groq/work   2 attempts   queued 1.2 s
  +3 ms      groq/home   401: Incorrect API key provided {ARROW} cooled
  +9 ms      groq/work   no answer: The name api.groq.com could not be resolved:
             Name or service not known.
  error      The name api.groq.com could not be resolved: Name or service not
             known.   (api_error)
  next       check the network, the VPN and the base URL:
             fairlead backend test groq
  note       waited 1.2 s for an account of groq to be ready
"""
NARROW = f"""\
req_1111   foo1   codex   chat   502
    1.5 s
  time       TIME
  route      alias fast, rule "long
    context"   sent as gpt-9
  asked      groq/work   2 attempts
    queued 1.2 s
  +3 ms      groq/home   401: Incorrect
    API key provided {ARROW} cooled
  +9 ms      groq/work   no answer: The
    name api.groq.com could not be
    resolved: Name or service not known.
  error      The name api.groq.com could
    not be resolved: Name or service not
    known.   (api_error)
  next       check the network, the VPN
    and the base URL:
    fairlead backend test groq
  note       waited 1.2 s for an account
    of groq to be ready
"""


@pytest.mark.parametrize(("width", "shown"), [("40", NARROW), ("80", MIDDLE), ("200", WIDE), ("", WIDE)])
def test_a_request_that_failed(fairlead, width, shown):
    """Its way, its error and the next step, in lines that fit the terminal; whole lines in a pipe."""
    began = time.time()
    add(fairlead.home, {**FAILED, "started": began})
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(began))
    done = fairlead("why", "-", COLUMNS=width)
    assert (done.code, done.err) == (0, "")
    assert done.out == shown.replace("TIME", moment)


def test_a_model_that_ends(fairlead):
    """It is named with its day, its successor and the source; other models are not mentioned."""
    assert fairlead("backend", "add", "anthropic", "--key-env", "NOT_SET").code == 0
    common = {"backend": "anthropic", "account": "default", "status": 200, "attempts": 1}
    add(fairlead.home, {"id": "req_1", "model": "fast", "served": "claude-sonnet-4-5-20250929", **common})
    told = "ends 2026-11-30, its successor is claude-sonnet-5-5 (shipped table 2026-11-20)"
    assert f"  model      {told}\n" in fairlead("why", "-").out
    assert json.loads(fairlead("why", "-", "--json").out)["notice"] == told
    add(fairlead.home, {"id": "req_2", "model": "claude-opus-5", "served": "claude-opus-5", **common})
    assert "  model " not in fairlead("why", "req_2").out


def test_as_json(fairlead):
    """The texts and the route are fields, of the request and of each attempt."""
    add(fairlead.home, FAILED)
    found = json.loads(fairlead("why", "-", "--json").out)["request"]
    assert (found["route"], found["error_text"]) == (FAILED["route"], FAILED["error_text"])
    assert [one["text"] for one in found["tries"]] == ["Incorrect API key provided", FAILED["error_text"]]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"status": 404, "error": "not_found_error"}, "  not sent: fairlead refused it\n"),
        (
            {"status": 402, "error": "halted", "backend": "a", "account": "default"},
            "  not sent: fairlead refused it, it would have gone to a\n",
        ),
        ({"status": 499, "error": "client_gone"}, "  not sent: the client left before\n"),
        ({"status": 200, "path": "/v1/models"}, "  served by  fairlead itself\n"),
        (
            {"status": 401, "error": "upstream_error", "backend": "a", "account": "default", "attempts": 1},
            "  asked      a/default   1 attempt\n",
        ),
        (
            {"status": 200, "backend": "a", "account": "default", "attempts": 1, "first_byte": 0.9},
            "  served by  a/default   1 attempt   first byte 0.9 s\n",
        ),
    ],
)
def test_who_served_it(fairlead, fields, said):
    """`served by` names a backend only when that one gave a good answer; a request that was not sent says so."""
    add(fairlead.home, {"id": "req_1", "model": "m", **fields})
    assert said in fairlead("why", "-").out


def test_a_single_failed_attempt_says_it_once(fairlead):
    """The error's own line has the text; the attempt's line has the status."""
    text = "The model `gpt-9` does not exist"
    tried = AttemptRecord(at=0.001, backend="a", account="default", status=404, error="upstream_error", text=text)
    common = {"backend": "a", "account": "default", "attempts": 1, "error_text": text, "tries": (tried,)}
    add(fairlead.home, {"id": "req_1", "model": "m", "status": 404, "error": "upstream_error", **common})
    out = fairlead("why", "-").out
    assert "  +1 ms      a/default   404\n" in out
    assert out.count(text) == 1


def recorded(status, error, text="", tries=(), **more):
    """A request as the history has it."""
    empty = dict.fromkeys(RECORDED.__struct_fields__)
    empty.update(model="m", served_model="m", client="codex", backend="a", account="default", tries=list(tries))
    return RECORDED(**{**empty, "status": status, "error": error, "error_text": text or None, **more})


def tried(status, text="", account="default", error="upstream_error", note=""):
    """A failed attempt at the backend `a`."""
    return RecordedAttempt(
        at_ms=1, backend="a", account=account, status=status, error=error, done="", note=note, text=text
    )


KEY = "give it another key: fairlead backend add a --key-stdin"


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (recorded(200, ""), ""),
        (recorded(401, "upstream_error", tries=[tried(401)]), KEY),
        (
            recorded(403, "upstream_error", tries=[tried(403)]),
            "the provider does not allow it for this account; use another one: "
            "fairlead accounts add a ALIAS --key-stdin",
        ),
        (
            recorded(401, "upstream_error", tries=[tried(401, account="work")]),
            "give the account another key: fairlead accounts remove a work, then fairlead accounts add a work "
            "--key-stdin",
        ),
        (
            recorded(401, "upstream_error", tries=[tried(401, account="client")]),
            "the login of the tool itself was refused: log in again in codex",
        ),
        (
            recorded(
                502, "api_error", "The name a could not be resolved.", [tried(0, "The name a could not be resolved.")]
            ),
            "check the network, the VPN and the base URL: fairlead backend test a",
        ),
        (
            recorded(502, "api_error", "connection refused", [tried(0, "connection refused")]),
            "start the server, or correct the base URL: fairlead backend test a",
        ),
        (
            recorded(502, "api_error", "TLS failed", [tried(0, "TLS failed")]),
            "see whether it can be reached now: fairlead backend test a",
        ),
        (
            recorded(504, "total", "Backend a did not finish its answer within 3 s (timeouts.total)."),
            "allow more time: fairlead config set timeouts.total 6s",
        ),
        (
            recorded(429, "rate_limit_error", "at the limit you set for it (backends.a.rpm = 60, 60 in use)"),
            "raise backends.a.rpm: fairlead config edit",
        ),
        (
            recorded(503, "overloaded_error", "no free place within 60 s: 5 requests (max_concurrent)."),
            "send fewer requests at a time, or raise the limit: fairlead config edit",
        ),
        (recorded(404, "upstream_error", tries=[tried(404)]), "choose a model the backend lists: fairlead models"),
        (
            recorded(404, "upstream_error", tries=[tried(404)], route='rule "x"', served_model="gpt-9"),
            "the rule sends it as gpt-9; correct the rule: fairlead config edit",
        ),
        (recorded(404, "not_found_error", backend=""), "choose a model that is served: fairlead models"),
        (recorded(404, "not_found_error", model="", protocol=""), "correct the base URL of the tool: fairlead env"),
        # An answer that is not kept any more: the path was right.
        (recorded(404, "not_found_error", model="", protocol="responses"), ""),
        (
            recorded(402, "halted"),
            "when more may be spent, lift the halt: fairlead resume",
        ),
        (
            recorded(429, "upstream_error", tries=[tried(429)]),
            "wait, or add another account: fairlead accounts add a ALIAS --key-stdin",
        ),
        (
            recorded(429, "upstream_error", tries=[tried(429, note="quota")]),
            "add credit at the provider of a, or another account: fairlead accounts add a ALIAS --key-stdin",
        ),
        (
            recorded(500, "upstream_error", tries=[tried(500)]),
            "the provider failed; the tool may send it again, or see whether it works: fairlead backend test a",
        ),
        (recorded(400, "upstream_error", tries=[tried(400)]), ""),
        (
            recorded(400, "context_overflow", "prompt is too long: 9 tokens > 8 maximum", model="a b"),
            "shorten the conversation, or name a model that takes more: fairlead config set 'fallback.a b' "
            "BACKEND:MODEL",
        ),
        (
            recorded(400, "invalid_request_error", f"tools[0]: {NO_WEB_SEARCH} (translated)."),
            "send searches to a backend that has them: fairlead config set server_tools.web_search BACKEND:MODEL; or "
            "name an engine: fairlead config set search.provider NAME",
        ),
        (recorded(429, "upstream_error", backend="demo", tries=[tried(429)]), ""),
    ],
)
def test_the_next_step(found, step):
    """Each class of error has what can be done about it; where only the request can be changed, the text says it."""
    assert find_next_step(found) == step


def test_an_id_that_the_history_lacks(fairlead):
    """Of requests that were refused at the door only some are kept, which is said."""
    add(fairlead.home, {"id": "req_1", "model": "m"})
    code, _, err = fairlead("why", "req_2")
    assert code == 1
    assert "the history has no request req_2" in err
    assert "10 of a kind are kept in a minute, and the others counted:   fairlead status" in err


def test_a_history_that_cannot_be_written(fairlead, monkeypatch):
    """It is not said that there was no request: the proxy could not record any, and says why."""
    monkeypatch.setattr(why.run_files, "live", lambda home: ["one"])
    monkeypatch.setattr(why, "flush_history", lambda home: ["the proxy on :1 cannot write it: the disk is full"])
    with pytest.raises(CommandError, match=r"the history does not have it: .* the disk is full"):
        why.find_recorded(open_home({"FAIRLEAD_HOME": str(fairlead.home)}), "-")


@pytest.mark.parametrize(
    ("error", "text", "line"),
    [
        ("client_gone", None, "  error      the client closed the connection   (client_gone)\n"),
        ("api_error", "It is broken", "  error      It is broken   (api_error)\n"),
        ("internal", None, "  error      internal\n"),
    ],
)
def test_the_error_in_words(fairlead, error, text, line):
    """A class without a text of its own has one here."""
    add(fairlead.home, {"id": "req_1", "model": "m", "status": 500, "error": error, "error_text": text})
    assert line in fairlead("why", "-").out


def test_cleared_texts(fairlead):
    """Clearing the history removes the texts of errors too."""
    add(fairlead.home, FAILED)
    assert b"Incorrect API key" in b"".join(path.read_bytes() for path in fairlead.home.glob("history.db*"))
    assert fairlead("history", "clear", "--yes").code == 0
    assert b"Incorrect API key" not in b"".join(path.read_bytes() for path in fairlead.home.glob("history.db*"))
