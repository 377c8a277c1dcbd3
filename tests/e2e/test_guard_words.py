"""What fairlead says when it lets a request go no further, in the shape of each protocol, over real sockets."""

import re

import pytest

from .budgets import configured, proxy
from .samples import PROTOCOLS, error_of
from .upstream import plain
from .wire import ask


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_halt_in_every_protocol(tmp_path, up, protocol):
    """402 billing_error; on Responses 429 insufficient_quota without retry-after, the form Codex takes as final."""
    configured(tmp_path, "guard.day_tokens = 1")
    up.default = [plain(protocol.whole)]
    with proxy(tmp_path, up) as one:
        assert ask(one.port, protocol.path, protocol.body()).status == 200
        refused, streamed = (ask(one.port, protocol.path, protocol.body(stream=stream)) for stream in (False, True))
        other = ask(one.port, "/v1/embeddings", b'{"model":"model-a","input":"x"}')
    assert refused.status == (429 if protocol.name == "responses" else 402)
    assert refused.field(b"retry-after") is None
    assert refused.field(b"x-should-retry") == b"false"
    error = refused.json()["error"]
    assert error.get("code", error["type"]) == (
        "billing_error" if protocol.name == "messages" else "insufficient_quota"
    )
    assert other.status == 402
    assert (streamed.status, error_of(protocol, streamed)) == (refused.status, error_of(protocol, refused))
    # Which limit, its figures, when the budget and the halt end, and what lifts it.
    said = re.fullmatch(
        r"fairlead stopped this request: the daily budget of 1 token is used up \(4 tokens spent\) and resets on "
        r"\d{4}-\d\d-\d\d at 00:00\. Blocked until (\d{4}-\d\d-\d\d )?\d\d:\d\d\. Continue now:   fairlead resume",
        error_of(protocol, refused),
    )
    assert said, error_of(protocol, refused)


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_what_cannot_be_counted_in_every_protocol(tmp_path, up, protocol):
    """guard.unpriced = refuse: a model without a price, and calls whose cost no answer tells of; the rest passes."""
    configured(tmp_path, 'guard.day_usd = 1\nguard.unpriced = "refuse"')
    up.default = [plain(protocol.whole)]
    with proxy(tmp_path, up) as one:
        refused = ask(one.port, protocol.path, protocol.body("model-x"))
        assert refused.status == (429 if protocol.name == "responses" else 402)
        assert (refused.field(b"x-should-retry"), refused.field(b"retry-after")) == (b"false", None)
        said = error_of(protocol, refused)
        assert said.startswith("No price is known for the model 'model-x' of box, and guard.unpriced is refuse")
        assert "fairlead config set prices.model-x.input" in said
        assert "fairlead config set prices.model-x.output" in said
        pictures = ask(one.port, "/v1/images/generations", b'{"model":"model-a","prompt":"x"}')
        assert pictures.status == 402
        assert "The cost of /v1/images/generations" in pictures.json()["error"]["message"]
        assert up.seen == []
        assert ask(one.port, "/v1/moderations", b'{"model":"model-x","input":"x"}').status == 200
        assert ask(one.port, protocol.path, protocol.body()).status == 200


@pytest.mark.parametrize("protocol", PROTOCOLS, ids=lambda protocol: protocol.name)
def test_a_limit_of_the_users_own_in_every_protocol(tmp_path, up, protocol):
    """429 that names the key, its figures and when the next place is; retry-after says the same in seconds."""
    configured(tmp_path, 'queue.timeout = "0.2s"\n[backends.box]\nrpm = 1')
    up.default = [plain(protocol.whole)]
    with proxy(tmp_path, up) as one:
        assert ask(one.port, protocol.path, protocol.body()).status == 200
        refused = ask(one.port, protocol.path, protocol.body())
    assert refused.status == 429
    assert 0 < int(refused.field(b"retry-after")) <= 61
    said = error_of(protocol, refused)
    assert "Backend box is at the limit you set for it (backends.box.rpm = 1, 1 in use)" in said
    assert f"the next place is free in {refused.field(b'retry-after').decode()} s" in said
