"""The guard over real sockets: budgets hold, a halt reaches every process and outlives each, its end is told."""

import contextlib
import json
import threading
import time

import anthropic
import openai
import pytest

from .budgets import BODY, PATH, answer, configured, proxy, query
from .processes import Proxy, backend, until
from .samples import PROTOCOLS
from .shared_budgets import Busy, check_shared
from .upstream import END, chunk, plain, stream_head, wait_for
from .wire import Client, ask, request


def test_four_processes_share_a_budget(tmp_path, up):
    """The short form of the next one."""
    check_shared(tmp_path, up, total=400, limit=3)


@pytest.mark.slow
def test_four_processes_share_a_budget_under_load(tmp_path, up):
    """2,000 requests: overspend within the cost in flight, each has its row, a halt stops all within a second."""
    check_shared(tmp_path, up, total=2000, limit=15)


def test_an_idle_process_holds_nothing(tmp_path, up):
    """What one process was granted and does not need is there for another at once, to the last cent."""
    configured(tmp_path, "guard.day_usd = 1")
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one, proxy(tmp_path, up) as two:
        assert [ask(one.port, PATH, BODY).status for _ in range(2)] == [200, 200]
        until(lambda: query(tmp_path, "SELECT sum(held) FROM guard_shares") in ([(0,)], [(None,)]))
        assert query(tmp_path, "SELECT sum(held) FROM guard_shares") in ([(0,)], [(None,)])
        began = time.monotonic()
        assert [ask(two.port, PATH, BODY).status for _ in range(9)] == [200] * 8 + [402]
        assert time.monotonic() - began < 10


def test_a_budget_halts_and_is_lifted(tmp_path, up):
    """Requests pass until the budget is spent; then 402 in the caller's shape, nothing goes upstream, each refusal has
    its row; health and status stay up and say so; a resume lets the budget count anew."""
    configured(tmp_path, "guard.day_usd = 0.3")
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one:
        answers = [ask(one.port, PATH, BODY) for _ in range(5)]
        assert [found.status for found in answers] == [200, 200, 200, 402, 402]
        assert len(up.seen) == 3
        refused = ask(one.port, PATH, BODY)
        assert refused.field(b"x-should-retry") == b"false"
        assert refused.field(b"retry-after") is None
        assert refused.json()["error"]["code"] == "insufficient_quota"
        message = refused.json()["error"]["message"]
        assert "the daily budget of $0.30 is used up ($0.30 spent)" in message
        assert "fairlead resume" in message
        assert (ask(one.port, "/health").status, ask(one.port, "/health").json()) == (200, {"status": "halted"})
        guard = one.status()["guard"]
        assert (guard["state"], guard["scope"]) == ("halted", "all")
        assert guard["request"] == answers[3].field(b"x-fairlead-request-id").decode()
        assert guard["until"] - guard["since"] == 1800
        assert ask(one.port, "/admin/resume", b"{}").status == 401
        [lifted] = ask(one.port, "/admin/resume", b"{}", one.operator()).json()["lifted"]
        assert lifted["request"] == guard["request"]
        assert one.status()["guard"]["state"] == "running"
        assert [ask(one.port, PATH, BODY).status for _ in range(4)] == [200, 200, 200, 402]
    assert query(tmp_path, "SELECT count(*) FROM requests") == [(10,)]
    halted = "SELECT count(*), sum(cost) FROM requests WHERE error = (SELECT id FROM names WHERE text = 'halted')"
    assert query(tmp_path, halted) == [(4, None)]


def test_the_sdks_take_a_halt_as_final(tmp_path, up):
    """The official SDKs raise the class of the status, with the guard's words, and do not try again."""
    configured(tmp_path, "guard.day_usd = 0.001")
    up.default = [answer(10)]
    options = {"api_key": "fairlead", "max_retries": 3, "timeout": 10}
    with proxy(tmp_path, up) as one:
        assert ask(one.port, PATH, BODY).status == 200
        said = [{"role": "user", "content": "hi"}]
        with openai.OpenAI(base_url=f"http://localhost:{one.port}/v1", **options) as gpt:
            with pytest.raises(openai.APIStatusError, match="fairlead resume") as chat:
                gpt.chat.completions.create(model="model-a", messages=said)
            with pytest.raises(openai.APIStatusError, match="fairlead resume") as streamed:
                gpt.chat.completions.create(model="model-a", messages=said, stream=True)
            with pytest.raises(openai.RateLimitError, match="fairlead resume") as responses:
                gpt.responses.create(model="model-a", input="hi")
        with (
            anthropic.Anthropic(base_url=f"http://localhost:{one.port}", **options) as claude,
            pytest.raises(anthropic.APIStatusError, match="fairlead resume") as messages,
        ):
            claude.messages.create(model="model-a", max_tokens=9, messages=said)
    assert [found.value.status_code for found in (chat, streamed, responses, messages)] == [402, 402, 429, 402]
    assert (chat.value.code, responses.value.code) == ("insufficient_quota", "insufficient_quota")
    assert messages.value.body["error"]["type"] == "billing_error"
    assert query(tmp_path, "SELECT count(*) FROM requests") == [(5,)]


def test_killed_while_halted(tmp_path, up):
    """A halt is on the disk before it refuses anything: after kill -9 the next process is halted, by the same one."""
    configured(tmp_path, "guard.day_usd = 0.001")
    up.default = [answer(10)]
    one = proxy(tmp_path, up)
    assert ask(one.port, PATH, BODY).status == 200
    first = ask(one.port, PATH, BODY)
    one.kill()
    assert first.status == 402
    with proxy(tmp_path, up) as two:
        again = ask(two.port, PATH, BODY)
        guard = two.status()["guard"]
    assert (again.status, guard["state"]) == (402, "halted")
    assert guard["request"] == first.field(b"x-fairlead-request-id").decode()
    assert len(up.seen) == 1


def test_killed_near_the_limit(tmp_path, up):
    """After kill -9 no more than the last second's spend is forgotten, and what the dead one held is free at once."""
    configured(tmp_path, "guard.day_usd = 1")
    up.default = [answer(100)]
    one = proxy(tmp_path, up)
    assert [ask(one.port, PATH, BODY).status for _ in range(8)] == [200] * 8
    until(lambda: query(tmp_path, "SELECT spent FROM guard_books") == [(8 * 10**8,)], 1.0)
    assert ask(one.port, PATH, BODY).status == 200
    one.kill()
    with proxy(tmp_path, up) as two:
        statuses = [ask(two.port, PATH, BODY).status for _ in range(4)]
        spent = two.status()["guard"]["budgets"][0]["spent"]
    # The ninth may have been lost with the process, or not.
    assert statuses in ([200, 402, 402, 402], [200, 200, 402, 402])
    assert spent == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("limit", [9.0, 900.0], ids=["halted", "running"])
def test_killed_under_load(tmp_path, up, limit):
    """kill -9 with 8 clients at it: what was answered more than a second before is booked, a halt is still there."""
    configured(tmp_path, f"guard.day_usd = {limit}")
    up.default = [Busy()]
    one = proxy(tmp_path, up)
    answered = []

    def work():
        with contextlib.suppress(OSError, AttributeError), Client(one.port) as client:
            while True:
                client.send(request(PATH, BODY))
                found = client.answer()
                answered.append((time.time(), found.status, found.json().get("usage", {}).get("total_tokens", 0)))

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    time.sleep(4)
    killed = time.time()
    one.kill()
    for worker in workers:
        worker.join()
    spent = query(tmp_path, "SELECT spent FROM guard_books")[0][0] / 1e6
    due = sum(tokens for at, _, tokens in answered if at < killed - 1)
    everything = sum(tokens for *_, tokens in answered)
    print(f"answered {everything} tokens, {due} of them a second before; booked {spent:g}")
    assert due <= spent <= everything + 8 * 40
    halted = any(status == 402 for _, status, _ in answered)
    assert halted == (limit == 9.0)
    with proxy(tmp_path, up) as two:
        assert ask(two.port, PATH, BODY).status == (402 if halted else 200)
        assert two.status()["guard"]["state"] == ("halted" if halted else "running")


def test_warn_only(tmp_path, up):
    """guard.behavior = warn refuses nothing; the state says what would have been halted, and the log does."""
    configured(tmp_path, 'guard.day_usd = 0.2\nguard.behavior = "warn"')
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, PATH, BODY).status for _ in range(5)] == [200] * 5
        guard = one.status()["guard"]
        until(lambda: "guard: warning" in one.log.read_text())
        said = one.log.read_text()
    assert (guard["state"], guard["halts"], guard["scope"]) == ("warned", [], "all")
    assert said.count("guard: warning: the daily budget of $0.20 is used up") == 1


def test_billing_classes(tmp_path, up):
    """An answer billed to a class that is not listed halts all that follows; listed ones, and none, do not."""
    configured(tmp_path, 'guard.billing = ["five_hour"]')
    claim = b"Anthropic-Ratelimit-Unified-Representative-Claim"
    for fields in ((), ((claim, b"five_hour"),)):
        up.script(answer(10, *fields))
    # Nothing was billed by an error: it names the class that is at its limit.
    up.script(plain(b'{"error":{"message":"no"}}', b"400 Bad Request", (claim, b"seven_day")))
    up.script(answer(10, (claim, b"a_new_one")))
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, PATH, BODY).status for _ in range(5)] == [200, 200, 400, 200, 402]
        assert "billed an answer to the class a_new_one" in one.status()["guard"]["reason"]


def test_a_billing_class_is_seen_at_once(tmp_path, up):
    """A stream that is billed elsewhere halts others while it runs, and itself runs to its end."""
    configured(tmp_path, 'guard.billing = ["five_hour"]')
    claim = (b"Anthropic-Ratelimit-Unified-Representative-Claim", b"overage")
    chat = PROTOCOLS[1]
    go = threading.Event()
    rest = b"".join(map(chunk, chat.events[chat.begun :])) + END
    up.script(stream_head(claim), b"".join(map(chunk, chat.events[: chat.begun])), wait_for(go), rest)
    with proxy(tmp_path, up) as one, Client(one.port) as first:
        first.send(request(chat.path, chat.body(stream=True)))
        first.read_until(b"\r\n\r\n")
        assert ask(one.port, PATH, BODY).status == 402
        go.set()
        assert first.answer().body.endswith(chat.events[-1])


def test_the_end_of_a_cooldown(tmp_path, up):
    """A halt ends by itself; a budget that is still used up trips again at once, and nothing more is spent."""
    configured(tmp_path, 'guard.day_usd = 0.1\nguard.cooldown = "1s"')
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, PATH, BODY).status for _ in range(2)] == [200, 402]
        first = one.status()["guard"]
        until(lambda: one.status()["guard"]["state"] != "halted")
        assert ask(one.port, PATH, BODY).status == 402
        again = one.status()["guard"]
    assert (again["state"], again["since"] >= first["until"]) == ("halted", True)
    assert len(up.seen) == 1


@pytest.mark.parametrize(("budget", "spent"), [("day_tokens = 250", 300), ("day_usd = 0.25", 0.3)])
def test_without_a_file(tmp_path, up, budget, spent):
    """Where history.db cannot be used, a process counts by itself: its own spend still trips the budget."""
    configured(tmp_path, f"guard.{budget}")
    (tmp_path / "home" / "history.db").mkdir()
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, PATH, BODY).status for _ in range(5)] == [200, 200, 200, 402, 402]
        guard = one.status()["guard"]
        assert (guard["state"], guard["budgets"][0]["spent"]) == ("halted", spent)
        ask(one.port, "/admin/resume", b"{}", one.operator())
        assert [ask(one.port, PATH, BODY).status for _ in range(4)] == [200, 200, 200, 402]


def test_models_without_a_price(tmp_path, up):
    """Under a budget in dollars they pass, or with guard.unpriced = refuse do not; that halts nothing."""
    configured(tmp_path, "guard.day_usd = 1")
    up.default = [answer(10)]
    body = BODY.replace(b"model-a", b"model-x")
    with proxy(tmp_path, up) as one:
        assert ask(one.port, PATH, body).status == 200
    with proxy(tmp_path, up, FAIRLEAD_GUARD_UNPRICED="refuse") as one:
        refused = ask(one.port, PATH, body)
        assert refused.status == 402
        assert "No price is known for the model 'model-x'" in refused.json()["error"]["message"]
        assert ask(one.port, PATH, BODY).status == 200
        assert one.status()["guard"]["state"] == "running"


def test_a_charge_that_the_provider_reports(tmp_path, up):
    """It counts in the budget in place of a price, and its source is kept; a backend whose provider documents none is
    not believed."""
    configured(tmp_path, "guard.day_usd = 0.5")
    up.default = [answer(10, cost=0.3)]
    known = backend("router", up.root, vendor="openrouter")
    with Proxy(
        tmp_path, backends=[known, backend("box", up.root)], settings={"FAIRLEAD_DEFAULT_BACKEND": "box"}
    ) as one:
        asked = [ask(one.port, PATH, BODY.replace(b"model-a", name)).status for name in (b"router:model-x", b"model-x")]
        assert asked == [200, 200]
        assert until(lambda: one.status()["guard"]["budgets"][0]["spent"] == 0.3)
        missed = [(model["backend"], model["requests"]) for model in one.status()["guard"]["not_counted"]]
        assert missed == [("box", 1)]
        one.loaded()
    costs = query(tmp_path, "SELECT cost, text FROM requests JOIN names ON names.id = price ORDER BY seq")
    assert costs == [(300_000_000, "reported by the provider"), (None, "")]


def test_a_backends_own_budget(tmp_path, up):
    """It stops that backend only."""
    configured(tmp_path, "[backends.box]\nbudget.day_usd = 0.05")
    up.default = [answer(100)]
    other = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "hi"}]}).encode()
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, PATH, BODY).status for _ in range(3)] == [200, 402, 402]
        assert ask(one.port, PATH, other).status == 200
        assert one.status()["guard"]["scope"] == "backend box"
        assert ask(one.port, "/health").json() == {"status": "ok"}


def test_a_budget_that_comes_later(tmp_path, up):
    """A budget set while the proxy runs begins with what the day has cost so far, and may be raised the same way."""
    configured(tmp_path, "")
    up.default = [answer(100)]
    with proxy(tmp_path, up) as one:
        assert [ask(one.port, PATH, BODY).status for _ in range(4)] == [200] * 4
        assert one.status()["guard"]["state"] == "off"
        one.loaded()
        until(lambda: ask(one.port, "/analytics", None, one.operator()).json()["total"]["requests"] == 4)
        configured(tmp_path, "guard.day_usd = 0.3")
        assert ask(one.port, "/admin/reload", b"{}", one.operator()).status == 200
        assert ask(one.port, PATH, BODY).status == 402
        configured(tmp_path, "guard.day_usd = 9")
        ask(one.port, "/admin/reload", b"{}", one.operator())
        ask(one.port, "/admin/resume", b"{}", one.operator())
        assert ask(one.port, PATH, BODY).status == 200


def test_streams_count_while_they_run(tmp_path, up):
    """A stream holds its reservation to its end: meanwhile the budget is nearly used, and the next one waits for it."""
    configured(tmp_path, "guard.day_usd = 1.01")
    go = threading.Event()
    up.script(wait_for(go), answer(500))
    up.default = [answer(500)]
    with proxy(tmp_path, up) as one, Client(one.port) as first, Client(one.port) as second:
        first.send(request(PATH, BODY))
        up.wait(lambda up: len(up.seen) == 1)
        [budget] = one.status()["guard"]["budgets"]
        assert (budget["spent"], budget["reserved"] > 1) == (0, True)
        second.send(request(PATH, BODY))
        time.sleep(0.3)
        assert len(up.seen) == 1
        go.set()
        assert first.answer().status == 200
        assert second.answer().status == 200
        until(lambda: one.status()["guard"]["budgets"][0]["spent"] == 1.0)
