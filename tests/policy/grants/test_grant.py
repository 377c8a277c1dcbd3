"""What a grant allows, and how those above it hold too."""

import time
from dataclasses import replace

import pytest

from router.policy.grants.grant import (
    Grant,
    allows_backend,
    allows_model,
    describe_models,
    find_end,
    find_expired,
    make_grant,
)
from router.settings.tables import KeyOptions


@pytest.mark.parametrize(
    ("globs", "backend", "model", "alias", "allowed"),
    [
        (None, "box", "anything", "", True),
        ((), "box", "anything", "", False),
        (("claude-*",), "box", "claude-opus-4-5", "", True),
        (("claude-*",), "box", "CLAUDE-x", "", True),
        (("claude-*",), "box", "my-claude-x", "", False),
        (("box:claude-*",), "box", "claude-x", "", True),
        (("box:claude-*",), "other", "claude-x", "", False),
        (("fast",), "box", "gpt-5", "fast", True),
        (("fast",), "box", "gpt-5", "", False),
        (("gpt-?",), "box", "gpt-55", "", False),
        (("m[1]",), "box", "m[1]", "", True),
        (("m[1]",), "box", "m1", "", False),
        (("*",), "box", "x" * 256, "", True),
    ],
)
def test_models(globs, backend, model, alias, allowed):
    """Globs are on the whole name of a model, of BACKEND:MODEL, or of the alias that stands for it; brackets are plain
    characters, and case does not matter."""
    assert allows_model(Grant(name="k", models=globs), backend, model, alias) is allowed


@pytest.mark.parametrize(
    ("name", "given", "allowed"),
    [("laptop", None, False), ("laptop", True, True), ("tool-codex", None, True), ("tool-codex", False, False)],
)
def test_the_callers_own_login(name, given, allowed):
    """Backends to which it goes are for keys that are told so, and for those that were made for a tool of this machine,
    unless they are told otherwise."""
    assert make_grant(name, KeyOptions(auth_client=given)).auth_client is allowed


def test_backends():
    """Names are exact."""
    grant = Grant(name="k", backends=("box",))
    assert [allows_backend(grant, name) for name in ("box", "boxes", "")] == [True, False, False]
    assert allows_backend(Grant(name="k"), "any")


def test_the_grants_above_hold_too():
    """The line goes to the top; the top owns ids, its tag counts, and its end is the end of all."""
    top = Grant(name="team", tag="blue", expires=100.0)
    run = Grant(name="team.run-1", tag="mine", parent=top, is_child=True)
    inner = Grant(name="team.run-1.x", parent=run, is_child=True)
    assert [one.name for one in inner.line] == ["team.run-1.x", "team.run-1", "team"]
    assert (inner.owner, inner.forced_tag, run.forced_tag) == ("team", "blue", "blue")
    assert (find_expired(inner, 99.0), find_expired(inner, 100.0)) == (None, top)
    alone = Grant(name="run-1", is_child=True)
    assert (alone.owner, replace(alone, tag="mine").forced_tag) == ("", "mine")
    assert [inner.is_limited, replace(top, models=("x",)).names_models] == [False, True]
    assert replace(inner, parent=replace(run, backends=("a",))).is_limited


def test_a_key_is_valid_to_the_end_of_its_day():
    """In local time."""
    grant = make_grant("k", KeyOptions(expires="2027-01-31"))
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(grant.expires)) == "2027-02-01 00:00"
    assert grant.expires == find_end("2027-01-31")


def test_a_long_list_is_shortened_in_errors():
    """Ten names and how many more."""
    assert describe_models(Grant(name="k", models=tuple("abcdefghijkl"))) == "a, b, c, d, e, f, g, h, i, j and 2 more"
    assert describe_models(Grant(name="k", models=())) == "none"
