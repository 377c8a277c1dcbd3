"""Attacks on what is counted: answers and requests that make a budget count too little, or fail."""

import gzip
import json
import threading
import time

import msgspec
import pytest

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
from router.wire.costs.cost_traits import read_cost_traits
from router.wire.raw import sse
from router.wire.raw.json.top_level import peek
from tests.budget.test_guard import guarded as run_guarded  # noqa: F401 - a fixture
from tests.e2e.budgets import PATH, query
from tests.e2e.budgets import proxy as start
from tests.e2e.conftest import up  # noqa: F401 - a fixture
from tests.e2e.processes import until
from tests.e2e.test_burst_budgets import body, burst, configured
from tests.e2e.wire import Client, request
from tests.exchange.playbook import playing
from tests.exchange.upstreams import Break, Silence, answer, says, streams
from tests.exchange.worlds import CHAT, MESSAGES, RESPONSES, box, chat, in_order, message

from ..patience import PATIENCE
from .probe import Probe, Runs

PROBES = {
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
    "words of Chat on any path": Probe("3 MB on /v1/ocr with a usage in the names of Chat", "counted by its end"),
    "sum alone": Probe("a reranker tells total_tokens alone", "counted as input"),
    "usage in front": Probe("a usage before 3 MB of a picture", "counted by it, not by the size"),
    "large background": Probe("a fetched background answer of 3 MB", "counted once, by its end"),
    "stream that retells": Probe("a GET streams the events of a run that was counted", "not counted again"),
    "thousand threads": Probe("calls on a thousand paths with ids, none of which tell a cost", "one line of status"),
    "last of many": Probe("a limit of one account hides the cut answer of the next", "the cut answer is counted"),
    "large tools": Probe("tools of 2 MB with a web search in them", "not decoded; counted as a tool without price"),
}
run = Runs()


@pytest.mark.parametrize("name", PROBES)
def test_money(name, request):
    """Each attack gives what the table says."""
    run(name, request)


ALL_DAY = Budget(ALL, "day", "usd", 5 * 10**9)


DAY = find_term("day", time.time())


@run.of("huge usage")
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


@run.of("most usage")
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


@run.of("limit in escapes")
def _escapes():
    assert _traits(rb'{"model":"m","max\u005ftokens":32000}').output == 32_000


@run.of("limit twice")
def _twice():
    assert _traits(rb'{"model":"m","max_tokens":1,"max_tokens":32000}').output == 32_000


@run.of("many answers")
def _many(run_guarded):  # noqa: F811
    async def use(site):
        traits = _traits(b'{"model":"m","n":128}')
        assert await site.ask("r1", traits=traits, size=0) is None
        assert site.guard.budget_states("all")[0].reserved == 128_000

    run_guarded(use, guard_day_tokens=10**9)


@run.of("small coded body")
def _coded(tmp_path, up):  # noqa: F811
    configured(tmp_path, "guard.day_tokens = 1000000000")
    go = threading.Event()
    up.default = [lambda sock: go.wait(PATIENCE)]
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


@run.of("late error")
def _late_error(one):
    script = streams(_text("a"), _event(error={"message": "no"}, usage=USED))
    record = playing(one, CHAT, chat(stream=True), script).record
    assert record.error == "upstream_error_event"
    assert (record.usage.input, record.usage.output) == (40, 8)


@run.of("coded error")
def _coded_error(one):
    packed = gzip.compress(json.dumps({"error": {"message": "no"}, "usage": USED}).encode())
    fields = (b"content-type", b"application/json"), (b"content-encoding", b"gzip")
    record = playing(one, CHAT, chat(), answer(500, *fields, body=packed)).record
    assert (record.usage.input, record.usage.output) == (40, 8)


@run.of("page for a translation")
def _page(made):
    runtime = made(box("box", "a0"), settings=in_order())
    page = answer(200, (b"content-type", b"text/html"), body=b"<html>login</html>")
    record = playing(runtime, MESSAGES, message(max_tokens=70), page).record
    assert (record.usage.output, record.estimated) == (70, True)


@run.of("background in a text")
def _background_text(one):
    told = {"id": "resp_9", "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 4}, "output": ["x"]}
    text = json.dumps({**told, "metadata": {"x": 1}, "text": {"background": True}}, separators=(",", ":")).encode()
    kind = (b"content-type", b"application/json")
    record = playing(one, f"{RESPONSES}/resp_9", b"", answer(200, kind, body=text), method="GET").record
    assert record.usage.input is None


@run.of("no id")
def _no_id(one):
    told = {"background": True, "status": "completed", "usage": {"input_tokens": 3, "output_tokens": 4}}
    for _ in range(2):
        assert playing(one, f"{RESPONSES}/r", b"", says(200, told), method="GET").record.usage.output == 4


@run.of("tier that was not given")
def _tier(one):
    told = {"id": "c", "choices": [], "usage": USED, "service_tier": "default"}
    record = playing(one, CHAT, chat(service_tier="flex"), says(200, told)).record
    assert record.usage.extras is None
    assert _traits(b'{"model":"m","service_tier":"flex"}').tier == ""


@run.of("one large event")
def _large_event(one):
    record = playing(one, CHAT, chat(stream=True), streams(_text("word " * 40_000), Silence(1), Break())).record
    assert (40_000 <= record.usage.output <= 60_000, record.estimated) == (True, True)


@run.of("tiny events")
def _tiny(one):
    noise = b": \n\n" * 100_000
    record = playing(one, CHAT, chat(stream=True), streams(_text("a"), noise, Silence(1), Break())).record
    assert record.usage.output < 100
    left = playing(one, CHAT, chat(stream=True), [Silence(99)], cuts={5: CancelReason.CLIENT_GONE}).record
    assert left.usage.output == 0


PICTURE = "a" * (3 << 20)


def _counted(runtime, path, told, *, body=None, method="POST"):
    """What is counted of an answer that comes in pieces."""
    data = b"".join(says(200, told))
    pieces = [part for at in range(0, len(data), 65_536) for part in (data[at : at + 65_536], Silence(0.001))]
    body = {"model": "box:m"} if body is None else body
    usage = playing(runtime, path, body, pieces, method=method).record.usage
    return usage.input, usage.output


@run.of("words of Chat on any path")
def _words(one):
    assert _counted(one, "/v1/ocr", {"pages": [PICTURE], "usage": USED}) == (40, 8)


@run.of("sum alone")
def _sum(one):
    assert _counted(one, "/v1/rerank", {"results": [], "usage": {"total_tokens": 48}}) == (48, 0)


@run.of("usage in front")
def _front(one):
    content = {"index": 0, "message": {"role": "assistant", "content": PICTURE}, "finish_reason": "stop"}
    assert _counted(one, CHAT, {"id": "c", "usage": USED, "choices": [content]}, body=chat()) == (40, 8)


@run.of("large background")
def _large_background(one):
    used = {"input_tokens": 3, "output_tokens": 4}
    told = {"id": "resp_5", "background": True, "status": "completed", "model": "m", "output": [PICTURE], "usage": used}
    looks = [_counted(one, f"{RESPONSES}/resp_5", told, body=b"", method="GET") for _ in range(2)]
    assert looks == [(3, 4), (None, None)]


@run.of("stream that retells")
def _retells(one):
    script = streams(_event(id="run_1", usage=USED))
    record = playing(one, "/v1/threads/thread_1/runs/run_1/events", b"", script, method="GET").record
    assert record.usage.input is None


@run.of("thousand threads")
def _threads(run_guarded):  # noqa: F811
    async def use(site):
        for number in range(1000):
            path = f"/v1/threads/thread_{number:x}/runs"
            entry = HistoryEntry(f"r{number}", time.time(), "POST", path, backend="box", model="m", status=200)
            site.guard.finished(msgspec.structs.replace(entry, root="https://box", attempts=1))
        found = site.guard.status().not_counted
        assert [(one.part, one.requests) for one in found] == [("calls of /v1/threads/*/runs", 1000)]

    run_guarded(use, guard_day_usd=1000.0)


@run.of("last of many")
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


@run.of("large tools")
def _large_tools():
    found = _traits(b'{"model":"m","tools":[{"type":"web_search","x":"' + b"a" * (2 << 20) + b'"}]}')
    assert found.uncounted == "tools of over 1 MiB"


@pytest.fixture
def one(made):
    """A backend with one account, which speaks all protocols."""
    return made(box("box", "a0", protocols=("chat", "messages", "responses")), settings=in_order())


def test_every_probe_runs():
    """The table and the runs have the same names."""
    assert run.names == [*PROBES]
