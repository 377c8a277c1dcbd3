"""What operators are told of losses of caches, what of a prompt is kept, and the marks that may be added."""

import json
import re

import pytest

from ..commands import run_in_home
from .cache_sessions import FIRST, HIT, MISS, PROSE, SECRET, Stand, answered, messages, tool, turns
from .wire import ask


@pytest.fixture(scope="module")
def stand(tmp_path_factory):
    made = Stand(tmp_path_factory.mktemp("cache"))
    yield made
    made.stop()


def test_marks_are_added_where_that_was_asked_for(stand):
    """A request without marks gets one for the whole of it; all else stays, and it is said. One with marks is as it
    was."""
    plainly = messages(1, system=PROSE, messages=turns(1, last="text"))
    stand.session((dict(plainly), answered(20_000, 0, 500)), backend="marking")
    sent = stand.upstream.seen[-1].body
    whole = json.dumps(plainly).encode()
    assert sent == b'{"cache_control":{"type":"ephemeral"},' + whole[1:]
    stand.session((messages(1), FIRST), backend="marking")
    assert stand.upstream.seen[-1].body == json.dumps(messages(1)).encode()
    stand.session((dict(plainly), FIRST))
    assert stand.upstream.seen[-1].body == whole


def command(stand, *words):
    """What a command prints on this home."""
    done = run_in_home(stand.home, *words)
    assert done.code == 0, done.err
    return done.out.decode()


def test_operators_are_told(stand):
    """`why` says what was lost, `usage` sums it by cause, and the metrics count it."""
    found = stand.session((messages(1), FIRST), (messages(2, tools=[tool("Bash"), tool("Read")]), MISS), idle=180)
    assert found[0] == "tools"
    said = command(stand, "why", "-")
    line = re.search(r"cache +0 of 20,510 tokens read, ([\d,]+) lost \(\$0\.0\d+\): (.+)", said)
    assert line is not None, said
    assert line[2] == "the tool list changed (Edit removed); 3 min since the turn before"
    assert "the tool list changed:" in command(stand, "usage")
    summary = json.loads(command(stand, "usage", "--json"))
    losses = {one["name"]: one for one in summary["cache_losses"]}
    assert losses["tools"]["cache_lost"] >= 20_000
    assert losses["tools"]["cache_lost_usd"] > 0
    assert summary["total"]["cache_lost"] == sum(one["cache_lost"] for one in losses.values())
    token = (stand.home / "operator.token").read_bytes().strip()
    text = ask(stand.proxy.port, "/metrics", None, (b"Authorization", b"Bearer " + token)).body
    counted = re.search(rb'fairlead_cache_lost_tokens_total{reason="tools"} ([0-9.]+)', text)
    assert counted is not None
    assert float(counted[1]) >= 20_000


def test_what_an_hour_would_have_cost_is_told(stand):
    """Behind the time since the turn before, with what it would have saved."""
    stand.session((messages(1), FIRST), (messages(2), MISS), idle=720)
    line = next(one for one in command(stand, "why", "-").splitlines() if one.startswith("  cache"))
    cause = "the cache does not keep it for so long (at least 5 min); 12 min since the turn before"
    assert line.endswith(f"lost ($0.069): {cause}; marks for 1 h would have cost $0.045 more and saved $0.069")


def test_what_was_seen_of_a_cache_is_a_fact_of_the_model(stand):
    """As operators, and `models`, get it: with its source."""
    stand.session((messages(1), FIRST), (messages(2), HIT), idle=240)
    token = (stand.home / "operator.token").read_bytes().strip()
    question = json.dumps({"models": ["one:claude-sonnet-4-6"]}).encode()
    found = ask(stand.proxy.port, "/admin/models", question, (b"Authorization", b"Bearer " + token)).json()["models"][0]
    fact = found["facts"]["cache_kept"]
    assert (fact["value"] // 60, fact["source"]) == (4, "seen in answers")
    assert "cache still there after 4 min" in found["summary"]


def test_no_word_of_a_prompt_is_stored(stand):
    """Not in history.db, nor in what is kept of a session in memory."""
    stand.session((messages(1), FIRST), (messages(2, system=f"{SECRET} {SECRET}"), MISS))
    stand.runtime.ledger.flush()
    files = [path for path in stand.home.rglob("*") if path.is_file()]
    assert any(path.name == "history.db" for path in files)
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in repr(stand.runtime.prompt_sessions._lines)
