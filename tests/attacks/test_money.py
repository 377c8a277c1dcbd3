"""Attacks on budgets: ways to spend more than they allow, to halt others, or to make counting fail."""

import contextlib
import gzip
import json
import random
import threading
import time

import msgspec
import pytest
import trio

from router.net.server.cancel_reason import CancelReason
from router.policy.budget.budgets import ALL, Budget, budget_key, find_term
from router.policy.budget.reservations import Claim
from router.settings import Settings
from router.settings.tables import Price
from router.store.history.entry import HistoryEntry
from router.store.interfaces import SyncMessage
from router.store.shared.budgets import SqliteSharedBudgets
from router.telemetry.pricing import Pricing
from router.wire import calls
from router.wire.costs.cost_traits import CostTraits, read_cost_traits
from router.wire.raw import sse
from router.wire.raw.top_level import peek
from tests.budget.test_guard import guarded as run_guarded  # noqa: F401 - a fixture
from tests.e2e.budgets import PATH, query
from tests.e2e.budgets import proxy as start
from tests.e2e.conftest import up  # noqa: F401 - a fixture
from tests.e2e.processes import until
from tests.e2e.test_burst_budgets import MOST, Writer, body, burst, configured
from tests.e2e.wire import Client, request
from tests.exchange.playbook import playing
from tests.exchange.upstreams import Break, Silence, answer, says, streams
from tests.exchange.worlds import CHAT, MESSAGES, RESPONSES, box, chat, in_order, message

from .probe import Probe

PROBES = {
    "huge first": Probe("one request that may cost ten times the budget", "it goes alone and is the last"),
    "flood of small": Probe("small requests without end before a large one", "the large one goes next"),
    "lowered while waiting": Probe(
        "a reload lowers the budget below what is spent", "those that wait are halted at once"
    ),
    "removed while waiting": Probe("a reload removes the budget", "all that wait go at once"),
    "midnight while waiting": Probe("the day ends while requests wait", "they go on the next day's budget"),
    "clock set back": Probe("the wall clock jumps back a day", "the wait is not longer, nothing fails"),
    "a thousand leave": Probe("a thousand clients leave the line in any order", "the next one goes; nothing is held"),
    "huge usage": Probe("an answer tells 2 to the 63 tokens", "estimated; status, metrics and other rows stay"),
    "most usage": Probe("a thousand answers tell a billion tokens at the highest price", "sums stay in 64 bits"),
    "limit in escapes": Probe("max_tokens written with an escape", "it is reserved all the same"),
    "limit twice": Probe("max_tokens twice in one body", "the last one is reserved"),
    "many answers": Probe("n of 128 without any limit", "reserved for 128 answers"),
    "small coded body": Probe("a request of 2 MB packed by gzip to 3 KB", "reserved by its decoded bytes"),
    "late error": Probe("a stream fails after its text with a usage in the error", "what it tells is counted"),
    "coded error": Probe("an error packed by gzip that holds a usage", "what it tells is counted"),
    "page for a translation": Probe("a login page in place of a translated answer", "counted as written to its limit"),
    "background in a text": Probe("a fetched answer whose text says background true", "it is not counted again"),
    "no id": Probe("a background answer without an id", "each look counts"),
    "tier that was not given": Probe("flex is asked for, the answer tells the usual tier", "it costs the usual price"),
    "one large event": Probe("the whole answer in one event without usage, cut after it", "counted by its bytes"),
    "tiny events": Probe("an upstream sends 100 thousand empty comments", "they count next to nothing"),
    "dead while alone": Probe("a process is killed while its request runs alone", "another process goes on at once"),
    "HTTP 1.0 burst": Probe("thirty HTTP 1.0 requests at once, 24 dollars in all", "5 dollars and one request"),
    "patience is over": Probe("an SDK repeats what found no room", "never a halt; served once there is room"),
    "words of Chat on any path": Probe("3 MB on /v1/ocr with a usage in the names of Chat", "counted by its end"),
    "sum alone": Probe("a reranker tells total_tokens alone", "counted as input"),
    "usage in front": Probe("a usage before 3 MB of a picture", "counted by it, not by the size"),
    "large background": Probe("a fetched background answer of 3 MB", "counted once, by its end"),
    "stream that retells": Probe("a GET streams the events of a run that was counted", "not counted again"),
    "thousand threads": Probe("calls on a thousand paths with ids, none of which tell a cost", "one line of status"),
    "last of many": Probe("a limit of one account hides the cut answer of the next", "the cut answer is counted"),
    "large tools": Probe("tools of 2 MB with a web search in them", "not decoded; counted as a tool without price"),
}
_RUNS = {}


def probe(name):
    def keep(function):
        _RUNS[name] = function
        return function

    return keep


@pytest.mark.parametrize("name", PROBES)
def test_money(name, request):
    """Each attack gives what the table says."""
    run = _RUNS[name]
    run(*(request.getfixturevalue(wanted) for wanted in run.__code__.co_varnames[: run.__code__.co_argcount]))


ALL_DAY = Budget(ALL, "day", "usd", 5 * 10**9)
DAY = find_term("day", time.time())


def limited(tokens):
    return {"traits": CostTraits(output=tokens), "size": 0}


@probe("huge first")
def _huge_first(run_guarded):  # noqa: F811
    async def use(site):
        assert await site.ask("r1", **limited(10_000)) is None
        site.end("r1", 10_000)
        assert (await site.ask("r2", **limited(1))).status == 402
        assert site.guard.status().budgets[0].spent == 10_000

    run_guarded(use, guard_day_tokens=1000)


@probe("flood of small")
def _flood(run_guarded):  # noqa: F811
    async def use(site):
        went = trio.Event()

        async def small(number):
            name = f"s{number}"
            if await site.ask(name, **limited(40)) is None:
                await trio.sleep(0.5)
                site.end(name, 0)

        async def flood(nursery):
            for number in range(10_000):
                if went.is_set():
                    return
                nursery.start_soon(small, number)
                await trio.sleep(0.05)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood, nursery)
            await trio.sleep(2)
            began = trio.current_time()
            assert await site.ask("large", **limited(5000)) is None
            assert trio.current_time() - began < 3
            site.end("large", 1)
            went.set()

    run_guarded(use, guard_day_tokens=1000)


async def _waiting(site, found, count=20):
    """A request that runs, and others that wait for it."""
    assert await site.ask("first", **limited(900)) is None

    async def ask(name):
        error = await site.ask(name, **limited(500))
        found.append((None if error is None else error.status, trio.current_time()))

    return [lambda number=number: ask(f"r{number}") for number in range(count)]


@probe("lowered while waiting")
def _lowered(run_guarded):  # noqa: F811
    async def use(site):
        await site.spend(300, "before", **limited(300))
        found = []
        async with trio.open_nursery() as nursery:
            site.guard.apply(Settings(guard_day_tokens=1300))
            for ask in await _waiting(site, found):
                nursery.start_soon(ask)
            await trio.sleep(2)
            began = trio.current_time()
            site.guard.apply(Settings(guard_day_tokens=200))
        assert [status for status, _ in found] == [402] * 20
        assert max(at for _, at in found) - began < 3

    run_guarded(use, guard_day_tokens=1000)


@probe("removed while waiting")
def _removed(run_guarded):  # noqa: F811
    async def use(site):
        found = []
        async with trio.open_nursery() as nursery:
            for ask in await _waiting(site, found):
                nursery.start_soon(ask)
            await trio.sleep(2)
            began = trio.current_time()
            site.guard.apply(Settings())
        assert [status for status, _ in found] == [None] * 20
        assert max(at for _, at in found) - began < 2

    run_guarded(use, guard_day_tokens=1000)


def _jump(run_guarded, seconds):  # noqa: F811
    async def use(site):
        now = [1_795_219_200.0 + 3600]
        site.guard._clock = lambda: now[0]
        found = []
        async with trio.open_nursery() as nursery:
            for ask in await _waiting(site, found, count=1):
                nursery.start_soon(ask)
            await trio.sleep(2)
            began = trio.current_time()
            now[0] += seconds
        assert [status for status, _ in found] == [None]
        assert max(at for _, at in found) - began < 3

    run_guarded(use, guard_day_tokens=1000)


@probe("midnight while waiting")
def _midnight(run_guarded):  # noqa: F811
    _jump(run_guarded, 86_400)


@probe("clock set back")
def _set_back(run_guarded):  # noqa: F811
    _jump(run_guarded, -86_400)


@probe("a thousand leave")
def _leave(run_guarded):  # noqa: F811
    async def use(site):
        chance = random.Random(1)
        assert await site.ask("first", **limited(900)) is None

        async def impatient(number):
            with trio.move_on_after(chance.uniform(0, 3)):
                await site.ask(f"r{number}", **limited(500))
                site.end(f"r{number}", 0)

        async with trio.open_nursery() as nursery:
            for number in range(1000):
                nursery.start_soon(impatient, number)
        assert not site.guard._line
        site.end("first", 1)
        assert await site.ask("next", **limited(900)) is None
        assert site.guard._reservations.running == 1

    run_guarded(use, guard_day_tokens=1000)


@probe("huge usage")
def _huge_usage(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_usd = 5\nguard.day_tokens = 1000000")
    usage = dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 2**63)
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}
    said = json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(said)
    up.default = [head + said]
    with start(tmp_path, up) as one:
        assert burst([one.port], 8) == [200] * 8
        guard = one.status()["guard"]
        assert guard["state"] == "running"
        assert all(0 < budget["spent"] < 10_000 for budget in guard["budgets"])
        one.loaded()
        until(lambda: query(tmp_path, "SELECT count(*), sum(estimated) FROM requests") == [(8, 8)])


@probe("most usage")
def _most_usage(made):
    price = Pricing(lambda: Settings(prices={"m": Price(input=999_999.0, output=999_999.0)})).price
    runtime = made(box("box", "a0"), settings=in_order())
    most = dict.fromkeys(("tokens_in", "tokens_out", "cache_write"), 10**9)
    entries = [
        HistoryEntry(f"r{n}", time.time(), "POST", CHAT, backend="box", account="a0", attempts=1, model="m", **most)
        for n in range(1000)
    ]
    assert all(0 < price(one)[0] < 2**63 for one in entries)
    budgets, key = SqliteSharedBudgets(runtime.ledger, price), budget_key(ALL_DAY, DAY)
    claim = Claim(ALL_DAY, DAY, 10**18, 10**20, 10**20)
    budgets.publish(SyncMessage(1, {key: claim}, [([key], one) for one in entries]))
    runtime.ledger.start()
    assert runtime.ledger.flush(20)
    assert runtime.ledger.dropped == 0
    found = runtime.ledger.read("SELECT spent, held FROM guard_books JOIN guard_shares USING (book)")
    assert found == [(10**17, 10**17)]


def _traits(raw):
    return read_cost_traits(calls.call(CHAT), peek(raw), raw)


@probe("limit in escapes")
def _escapes():
    assert _traits(rb'{"model":"m","max\u005ftokens":32000}').output == 32_000


@probe("limit twice")
def _twice():
    assert _traits(rb'{"model":"m","max_tokens":1,"max_tokens":32000}').output == 32_000


@probe("many answers")
def _many(run_guarded):  # noqa: F811
    async def use(site):
        traits = _traits(b'{"model":"m","n":128}')
        assert await site.ask("r1", traits=traits, size=0) is None
        assert site.guard.budget_states("all")[0].reserved == 128_000

    run_guarded(use, guard_day_tokens=10**9)


@probe("small coded body")
def _coded(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_tokens = 1000000000")
    go = threading.Event()
    up.default = [lambda sock: go.wait(20)]
    packed = gzip.compress(body(messages=[{"role": "user", "content": "a" * 2_000_000}]))
    assert len(packed) < 4000
    with start(tmp_path, up) as one, Client(one.port) as client:
        client.send(request(PATH, packed, (b"Content-Encoding", b"gzip")))
        up.wait(lambda up: len(up.seen) == 1)
        assert one.status()["guard"]["budgets"][0]["reserved"] > 500_000
        go.set()


USED = {"prompt_tokens": 40, "completion_tokens": 8, "total_tokens": 48}


def _event(**data):
    return sse.frame(json.dumps(data).encode())


def _text(text):
    return _event(id="c", choices=[{"index": 0, "delta": {"content": text}}])


@probe("late error")
def _late_error(one):
    script = streams(_text("a"), _event(error={"message": "no"}, usage=USED))
    record = playing(one, CHAT, chat(stream=True), script).record
    assert record.error == "upstream_error_event"
    assert (record.usage.input, record.usage.output) == (40, 8)


@probe("coded error")
def _coded_error(one):
    packed = gzip.compress(json.dumps({"error": {"message": "no"}, "usage": USED}).encode())
    fields = (b"content-type", b"application/json"), (b"content-encoding", b"gzip")
    record = playing(one, CHAT, chat(), answer(500, *fields, body=packed)).record
    assert (record.usage.input, record.usage.output) == (40, 8)


@probe("page for a translation")
def _page(made):
    runtime = made(box("box", "a0"), settings=in_order())
    page = answer(200, (b"content-type", b"text/html"), body=b"<html>login</html>")
    record = playing(runtime, MESSAGES, message(max_tokens=70), page).record
    assert (record.usage.output, record.estimated) == (70, True)


@probe("background in a text")
def _background_text(one):
    told = {"id": "resp_9", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 4}, "output": ["x"]}
    text = json.dumps({**told, "metadata": {"x": 1}, "text": {"background": True}}, separators=(",", ":")).encode()
    kind = (b"content-type", b"application/json")
    record = playing(one, f"{RESPONSES}/resp_9", b"", answer(200, kind, body=text), method="GET").record
    assert record.usage.input is None


@probe("no id")
def _no_id(one):
    told = {"background": True, "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 4}}
    for _ in range(2):
        assert playing(one, f"{RESPONSES}/r", b"", says(200, told), method="GET").record.usage.output == 4


@probe("tier that was not given")
def _tier(one):
    told = {"id": "c", "choices": [], "usage": USED, "service_tier": "default"}
    record = playing(one, CHAT, chat(service_tier="flex"), says(200, told)).record
    assert record.usage.extras is None
    assert _traits(b'{"model":"m","service_tier":"flex"}').tier == ""


@probe("one large event")
def _large_event(one):
    record = playing(one, CHAT, chat(stream=True), streams(_text("word " * 40_000), Silence(1), Break())).record
    assert (40_000 <= record.usage.output <= 60_000, record.estimated) == (True, True)


@probe("tiny events")
def _tiny(one):
    noise = b": \n\n" * 100_000
    record = playing(one, CHAT, chat(stream=True), streams(_text("a"), noise, Silence(1), Break())).record
    assert record.usage.output < 100
    left = playing(one, CHAT, chat(stream=True), [Silence(99)], cuts={5: CancelReason.CLIENT_GONE}).record
    assert left.usage.output == 0


@probe("dead while alone")
def _dead(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_usd = 0.5")
    go = threading.Event()
    up.script(lambda sock: go.wait(20))
    up.default = [Writer(3, seconds=0)]
    one, two = start(tmp_path, up), start(tmp_path, up)
    try:
        with Client(one.port) as first, Client(two.port) as second:
            first.send(request(PATH, body()))
            up.wait(lambda up: len(up.seen) == 1)
            second.send(request(PATH, body()))
            time.sleep(1)
            assert len(up.seen) == 1
            one.kill()
            assert second.answer().status == 200
    finally:
        go.set()
        with contextlib.suppress(Exception):
            one.kill()
        two.stop()


@probe("HTTP 1.0 burst")
def _old_burst(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_usd = 5")
    up.default = [writer := Writer(5, MOST)]
    with start(tmp_path, up) as one:
        found, lock = [], threading.Lock()

        def work():
            with Client(one.port) as client:
                client.send(request(PATH, body()).replace(b"HTTP/1.1", b"HTTP/1.0", 1))
                status = client.answer().status
                with lock:
                    found.append(status)

        workers = [threading.Thread(target=work) for _ in range(30)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    assert {*found} == {200, 402}
    assert 5 <= sum(writer.dollars) <= 5 + max(writer.dollars)


@probe("patience is over")
def _patience(run_guarded):  # noqa: F811
    async def use(site):
        assert await site.ask("first", **limited(900)) is None

        async def end():
            await trio.sleep(50)
            site.end("first", 10)

        statuses = []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end)
            while (error := await site.ask("again", **limited(500))) is not None:
                statuses.append(error.status)
                await trio.sleep(error.retry_after)
        assert len(statuses) >= 3
        assert {*statuses} == {503}
        assert site.guard.status().halts == []

    run_guarded(use, guard_day_tokens=1000, queue_timeout=5.0)


PICTURE = "a" * (3 << 20)


def _counted(runtime, path, told, *, body=None, method="POST"):
    """What is counted of an answer that comes in pieces."""
    data = b"".join(says(200, told))
    pieces = [part for at in range(0, len(data), 65_536) for part in (data[at : at + 65_536], Silence(0.001))]
    body = {"model": "box:m"} if body is None else body
    usage = playing(runtime, path, body, pieces, method=method).record.usage
    return usage.input, usage.output


@probe("words of Chat on any path")
def _words(one):
    assert _counted(one, "/v1/ocr", {"pages": [PICTURE], "usage": USED}) == (40, 8)


@probe("sum alone")
def _sum(one):
    assert _counted(one, "/v1/rerank", {"results": [], "usage": {"total_tokens": 48}}) == (48, 0)


@probe("usage in front")
def _front(one):
    content = {"index": 0, "message": {"role": "assistant", "content": PICTURE}, "finish_reason": "stop"}
    assert _counted(one, CHAT, {"id": "c", "usage": USED, "choices": [content]}, body=chat()) == (40, 8)


@probe("large background")
def _large_background(one):
    used = {"input_tokens": 3, "output_tokens": 4}
    told = {"id": "resp_5", "background": True, "status": "completed", "model": "m", "output": [PICTURE], "usage": used}
    looks = [_counted(one, f"{RESPONSES}/resp_5", told, body=b"", method="GET") for _ in range(2)]
    assert looks == [(3, 4), (None, None)]


@probe("stream that retells")
def _retells(one):
    script = streams(_event(id="run_1", usage=USED))
    record = playing(one, "/v1/threads/thread_1/runs/run_1/events", b"", script, method="GET").record
    assert record.usage.input is None


@probe("thousand threads")
def _threads(run_guarded):  # noqa: F811
    async def use(site):
        for number in range(1000):
            path = f"/v1/threads/thread_{number:x}/runs"
            entry = HistoryEntry(f"r{number}", time.time(), "POST", path, backend="box", model="m", status=200)
            site.guard.finished(msgspec.structs.replace(entry, root="https://box", attempts=1))
        found = site.guard.status().not_counted
        assert [(one.part, one.requests) for one in found] == [("calls of /v1/threads/*/runs", 1000)]

    run_guarded(use, guard_day_usd=1000.0)


@probe("last of many")
def _last(made):
    runtime = made(box("box", "a0", "a1"), settings=in_order())
    counted = []

    async def admit(*arguments):
        return 70

    runtime.guard.apply(Settings(guard_day_usd=5.0))
    runtime.guard.admit, runtime.guard.finished = admit, counted.append
    cut = [b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{", Break()]
    limited = answer(429, (b"retry-after", b"999"), (b"content-type", b"application/json"), body=b"{}")
    played = playing(runtime, CHAT, chat(max_tokens=70), limited, *[cut] * 9)
    cuts = sum(one.account == "a1" for one in played.record.tries)
    assert (played.status, [one.tokens_out for one in counted if one.tokens_out]) == (429, [70] * cuts)


@probe("large tools")
def _large_tools():
    found = _traits(b'{"model":"m","tools":[{"type":"web_search","x":"' + b"a" * (2 << 20) + b'"}]}')
    assert found.uncounted == "tools of over 1 MiB"


@pytest.fixture
def one(made):
    """A backend with one account, which speaks all protocols."""
    return made(box("box", "a0", protocols=("chat", "messages", "responses")), settings=in_order())


def test_every_probe_runs():
    """The table and the runs have the same names."""
    assert [*_RUNS] == [*PROBES]
