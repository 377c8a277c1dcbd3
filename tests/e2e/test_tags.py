"""Tags that callers give their requests: sums in the history, and budgets."""

import pytest

from .budgets import BODY, PATH, answer, configured, proxy
from .processes import Proxy, backend, until
from .samples import PROTOCOLS
from .wire import ask


def tagged(tag, model="model-a"):
    """The arguments of a request with this tag."""
    return PATH, BODY.replace(b"model-a", model.encode()), (b"X-Fairlead-Tag", tag)


def test_a_tags_own_budget(tmp_path, up):
    """It stops the requests with that tag only, begins with what the history has, and the tag goes nowhere else."""
    configured(tmp_path, "")
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, *tagged(b"night/run-7")).status for _ in range(2)] == [200] * 2
        one.loaded()
        until(lambda: ask(one.port, "/analytics", None, one.operator()).json()["total"]["requests"] == 2)
        configured(tmp_path, '[guard.tags.day_usd]\n"night/run-7" = 0.3')
        assert ask(one.port, "/admin/reload", b"{}", one.operator()).status == 200
        assert [ask(one.port, *tagged(b"night/run-7")).status for _ in range(3)] == [200, 402, 402]
        refused = ask(one.port, *tagged(b"night/run-7")).json()["error"]["message"]
        assert "the daily budget of $0.30 for tag night/run-7 is used up ($0.30 spent)" in refused
        assert [ask(one.port, *tagged(b"other")).status, ask(one.port, PATH, BODY).status] == [200, 200]
        assert (one.status()["guard"]["scope"], ask(one.port, "/health").status) == ("tag night/run-7", 200)
        [sums] = [found for found in _analytics(one)["tags"] if found["name"] == "night/run-7"]
        assert (sums["requests"], sums["cost_usd"]) == (6, 0.3)
    assert not [name for seen in up.seen for name, _ in seen.lines if name.lower().startswith(b"x-fairlead")]


def _analytics(one):
    until(lambda: ask(one.port, "/analytics", None, one.operator()).json()["total"]["requests"] == 8)
    return ask(one.port, "/analytics", None, one.operator()).json()


@pytest.mark.parametrize("tag", [b"two words", b"-x", b"x" * 65, b"\xc3\xa9", b"a,b", b'"'])
@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_what_is_no_tag(fairlead, upstream, tag, protocol):
    """400 that says what one is, and nothing goes upstream: a budget that is misspelled would hold nothing."""
    refused = ask(fairlead.port, protocol.path, protocol.body("box:m"), (b"x-fairlead-tag", tag))
    assert refused.status == 400
    assert "expected a tag: 1 to 64 letters" in refused.json()["error"]["message"]
    assert upstream.seen == []


def test_a_tags_halt_is_met_everywhere(tmp_path, up):
    """A request that its tag's budget stops is tried nowhere else: no chain leads around it."""
    configured(tmp_path, 'guard.tags.day_usd = {night = 0.1}\nfallback = {"model-a" = ["other:model-a"]}')
    up.default = [answer(100)]
    with Proxy(tmp_path, backends=[backend("box", up.root), backend("other", up.root)]) as one:
        path, body, header = tagged(b"night", "box:model-a")
        assert ask(one.port, path, body, header).status == 200
        refused = ask(one.port, path, body, header)
        assert (refused.status, refused.field(b"x-fairlead-fallback")) == (402, None)
        assert "the daily budget of $0.10 for tag night is used up ($0.10 spent)" in refused.json()["error"]["message"]
        assert ask(one.port, path, body).status == 200
    assert len(up.seen) == 2
