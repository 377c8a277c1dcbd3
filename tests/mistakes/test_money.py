"""Mistakes with budgets and prices."""

import json

import pytest

from ..e2e.budgets import PATH, answer, configured, proxy
from ..e2e.processes import until
from ..e2e.upstream import Upstream
from ..e2e.wire import ask
from .mistake import Mistake

MISTAKES = {
    "G1": Mistake(
        "goes on with a tool when the budget is used up",
        "fairlead stopped this request: the daily budget of $0.01 is used up",
        "Blocked until",
        "fairlead resume",
    ),
    "G2": Mistake(
        "asks why a request was stopped by a budget",
        "is used up",
        "the daily budget of $0.01",
        "fairlead resume",
    ),
    "G3": Mistake(
        "raises the budget and thinks that this ends the halt",
        "The budget is $5.00 now, but the halt stays",
        "guard.day_usd",
        "fairlead resume",
    ),
    "G4": Mistake(
        "sets a budget in dollars for models that have no price",
        "2 requests are not counted, their models have no price",
        "model-b",
        "fairlead config set prices.model-b.input",
    ),
    "G5": Mistake(
        "sets a price for input only",
        "has no output price, so its requests are not priced",
        "prices.gpt-5 ",
        "fairlead config set prices.gpt-5.output",
    ),
    "G6": Mistake(
        "asks for a model without a price while guard.unpriced is refuse",
        "No price is known for the model",
        "'model-b' of box",
        "fairlead config set prices.model-b.input",
    ),
}


@pytest.fixture
def up():
    """An upstream whose answers cost a cent at the price of model-a."""
    listening = Upstream()
    listening.default = [answer(10)]
    yield listening
    listening.stop()


def post(one, model="model-a"):
    """The answer to a request for a model."""
    return ask(one.port, PATH, json.dumps({"model": model, "messages": [{"role": "user", "content": "hi"}]}).encode())


def message(refused):
    """The text of an error."""
    return refused.json()["error"]["message"]


def test_g1(tmp_path, up):
    """The tool is told which budget, what was spent, until when, and the command that ends it."""
    configured(tmp_path, "guard.day_usd = 0.01")
    with proxy(tmp_path, up) as one:
        assert post(one).status == 200
        refused = post(one)
    assert refused.status == 402
    MISTAKES["G1"].check(message(refused))


def test_g2(tmp_path, up, fairlead):
    """`why` names the budget, and the command that ends the halt."""
    configured(tmp_path, "guard.day_usd = 0.01")
    with proxy(tmp_path, up) as one:
        assert [post(one).status for _ in range(2)] == [200, 402]
        done = fairlead("why", "-")
    MISTAKES["G2"].check(done.out)


def test_g3(tmp_path, up, fairlead):
    """`config set` says that the halt stays, and the next refusal has the new figure; resume ends it."""
    configured(tmp_path, "guard.day_usd = 0.01")
    with proxy(tmp_path, up) as one:
        assert [post(one).status for _ in range(2)] == [200, 402]
        done = fairlead("config", "set", "guard.day_usd", "5")
        assert "Traffic stays halted until" in done.err
        assert "fairlead resume" in done.err
        # A refusal has the new figure once the proxy's guard has read what was spent against it.
        assert until(lambda: MISTAKES["G3"].cause in message(post(one)))
        MISTAKES["G3"].check(done.out, message(post(one)))
        assert fairlead("resume").code == 0
        assert post(one).status == 200


def test_g4(tmp_path, up, fairlead):
    """`usage`, the start of a proxy, `config set` and /status say that requests are not counted; once priced, a model
    is not named any more. A model of a known vendor has that vendor's price."""
    configured(tmp_path, "guard.day_usd = 1")
    with proxy(tmp_path, up) as one:
        assert [post(one, model).status for model in ("model-b", "model-b", "gpt-5")] == [200] * 3
        missed = [{"backend": "box", "model": "model-b", "requests": 2, "part": ""}]
        assert until(lambda: one.status()["guard"]["not_counted"] == missed)
        used = fairlead("usage").out
    started = fairlead.start("proxy", "--port", "0").lines
    changed = fairlead("config", "set", "guard.day_usd", "2").err
    for shown in (used, "\n".join(started), changed):
        MISTAKES["G4"].check(" ".join(shown.split()))
    assert "by model name" in used
    for key in ("input", "output"):
        assert fairlead("config", "set", f"prices.model-b.{key}", "1").code == 0
    assert "not counted" not in fairlead("usage").out


def test_g5(fairlead):
    """`config set` and the load of config.toml say so, with the command; the whole price is taken without a word."""
    done = fairlead("config", "set", "prices.gpt-5.input", "10")
    MISTAKES["G5"].check(done.err)
    shown = fairlead("config", "show").out + fairlead("config", "show").err
    assert "config.toml, line 1" in shown
    MISTAKES["G5"].check(shown)
    assert fairlead("config", "set", "prices.gpt-5.output", "20").err == ""


def test_g6(tmp_path, up):
    """The tool is told which model, and the commands that set a price."""
    configured(tmp_path, 'guard.day_usd = 1\nguard.unpriced = "refuse"')
    with proxy(tmp_path, up) as one:
        refused = post(one, "model-b")
    assert refused.status == 402
    MISTAKES["G6"].check(message(refused))
