"""fairlead's own key where a backend's key is expected: each command that speaks of the key says so."""

import pytest

from router.store.home.home import open_home

from .test_commands import add

CAUSE = "$ANTHROPIC_API_KEY holds fairlead's own client key: it was overwritten by `fairlead env`"


@pytest.fixture
def own(fairlead):
    """The client key of the home, as `fairlead env` makes it."""
    return open_home(fairlead.environ).token("client.key").reveal()


@pytest.mark.parametrize("name", ["client.key", "operator.token"])
def test_given(fairlead, provider, name):
    """A literal one is not stored."""
    token = open_home(fairlead.environ).token(name).reveal()
    for command in (["backend", "add", "openai"], ["backend", "add", "box", "--base-url", provider.url]):
        done = fairlead(*command, "--key-stdin", stdin=token)
        assert (done.code, done.out) == (1, "")
        assert "the key on standard input is fairlead's" in done.err
        assert token not in done.err
    assert not (fairlead.home / "backends").exists()
    assert provider.seen == []


def test_in_a_variable(fairlead, provider, own):
    """The reference is stored and the key is not tried; add, test and the lists say why and what to do."""
    option = ("--protocols", "chat", "--key-env", "ANTHROPIC_API_KEY")
    code, out, _ = add(fairlead, provider, *option, ANTHROPIC_API_KEY=own)
    assert code == 1
    assert f"not tried: {CAUSE}" in out
    assert "or store it: fairlead backend add office --key-stdin" in out
    for command in (("backend", "test", "office"), ("backend", "list"), ("accounts", "list")):
        done = fairlead(*command, ANTHROPIC_API_KEY=own)
        assert CAUSE in done.out
        assert "or store it: fairlead backend add office --key-stdin" in done.out
        assert own not in done.out + done.err
    assert provider.seen == []


def test_as_a_further_account(fairlead, provider, own):
    """The command that helps is the one for that account."""
    add(fairlead, provider, "--protocols", "chat", "--key-stdin", stdin="sk-good")
    provider.seen.clear()
    done = fairlead("accounts", "add", "office", "work", "--key-env", "WORK_KEY", WORK_KEY=own)
    assert done.code == 1
    assert "not tried: $WORK_KEY holds fairlead's own client key" in done.out
    assert "fairlead accounts add office work --key-stdin" in done.out
    refused = fairlead("accounts", "add", "office", "more", "--key-stdin", stdin="fairlead")
    assert (refused.code, "own placeholder for a key" in refused.err) == (1, True)
    assert provider.seen == []


def test_with_a_running_proxy(fairlead, provider, own):
    """What the proxy has counts: the lists show its trouble from a shell whose variable is right, and no list of
    models is asked for with it."""
    option = ("--protocols", "chat", "--key-env", "ANTHROPIC_API_KEY")
    add(fairlead, provider, *option, ANTHROPIC_API_KEY="sk-good")
    provider.seen.clear()
    fairlead.start("proxy", "--port", "0", ANTHROPIC_API_KEY=own)
    good = {"ANTHROPIC_API_KEY": "sk-good"}
    for command in (("backend", "list"), ("accounts", "list")):
        assert CAUSE in fairlead(*command, **good).out
    tested = fairlead("backend", "test", "office", **good)
    assert tested.code == 0
    assert f"warning: {CAUSE}" in tested.err
    assert {key for _, key in provider.seen} <= {"sk-good", None}
