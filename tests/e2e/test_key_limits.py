"""Limits of a client key: requests a minute, at a time, and money."""

import threading
from concurrent.futures import ThreadPoolExecutor

from ..patience import PATIENCE
from .budgets import PRICES
from .budgets import answer as costing
from .granted import WHOLE, Granted, add, configured, until
from .upstream import plain


def test_limits_a_minute(tmp_path, up):
    """Beyond rpm a request waits, and gets 429 with retry-after where that takes longer than queue.timeout; the count
    goes on after a restart. Other keys are not held up."""
    up.default = (plain(WHOLE),)
    slow, other = add(tmp_path, "slow", rpm="2"), add(tmp_path, "other")
    with Granted(tmp_path, up, queue_timeout="1s") as one:
        assert [one.chat(slow).status for _ in range(2)] == [200, 200]
        late = one.chat(slow)
        assert (late.status, late.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert 0 < int(late.field(b"retry-after")) <= 62
        assert "The key slow is at its limit (rpm = 2)" in late.json()["error"]["message"]
        assert one.chat(other).status == 200
        assert until(lambda: one.operate("/analytics").json()["total"]["requests"] == 4)
    with Granted(tmp_path, up, queue_timeout="1s") as one:
        assert [one.chat(slow).status, one.chat(other).status] == [429, 200]


def test_a_place_at_a_time(tmp_path, up):
    """max_concurrent holds while an answer is awaited: the next request is refused once queue.timeout is over, and goes
    as soon as there is a place."""
    up.default = (plain(WHOLE),)
    key, held = add(tmp_path, "one", max_concurrent="1"), threading.Event()
    with Granted(tmp_path, up, queue_timeout="1s") as one:
        up.script(lambda _: held.wait(PATIENCE), plain(WHOLE))
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(one.chat, key)
            assert until(lambda: len(up.seen) == 1)
            late = one.chat(key)
            held.set()
            assert (first.result().status, late.status, late.field(b"retry-after")) == (200, 429, b"1")
        assert one.chat(key).status == 200


def test_a_budget_of_a_key(tmp_path, up):
    """It ends the traffic of that key alone, in the caller's form, and goes on after a restart."""
    configured(tmp_path, PRICES)
    spender, other = add(tmp_path, "spender", budget_day_usd="0.2"), add(tmp_path, "other")
    up.default = [costing(100)]
    with Granted(tmp_path, up) as one:
        assert [one.chat(spender).status for _ in range(3)] == [200, 200, 402]
        text = one.chat(spender).json()["error"]["message"]
        assert "the daily budget of $0.20 for key spender is used up ($0.20 spent)" in text
        assert one.ask(spender, "/v1/responses", b'{"model":"model-a","input":"x"}').status == 429
        assert one.chat(other).status == 200
        assert one.operate("/status").json()["guard"]["scope"] == "key spender"
    with Granted(tmp_path, up) as one:
        assert [one.chat(spender).status, one.chat(other).status] == [402, 200]
        keys = {sums["name"]: sums for sums in one.operate("/analytics?since=7d").json()["keys"]}
        assert keys["spender"]["cost_usd"] == 0.2
