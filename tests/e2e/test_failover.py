"""Several accounts of one backend: what fails at one goes to the next, and no caller notices."""

import json
from collections import Counter

import pytest
import trio

from ..patience import PATIENCE
from .flock import OVERLOADED, crowd, flock, once
from .pools import GOOD, KEYS, LONG, SHORT, configured, emptied, message, pooled, served, until
from .processes import backend, inside
from .upstream import Upstream, close, plain, stream_head

FAULTS = ("429", "401", "403", "500", "503", "529", "hang", "hang-after", "cut", "cut-after", "error", "flap")


async def storm(folder, fault, number, *, modes=None):
    """Ask `number` times at concurrency 64 while all accounts but the last have the fault."""
    modes = modes or {KEYS[0]: fault, KEYS[1]: fault, GOOD: "good"}
    async with (
        flock(modes) as up,
        inside(folder, backends=[pooled("box", up.root)], default_backend="box", **SHORT) as serving,
    ):

        async def ask(caller, index):
            streamed = index % 4 < 2 or fault.startswith("hang")
            # Half of them begin a conversation, and may meet any account.
            conversation = index if index % 2 else index % 700
            return await caller.ask("/v1/messages", message(stream=streamed, text=f"conversation {conversation}"))

        answers = await crowd(serving.port, number, 64, ask)
        await emptied(serving, up)
        attempts = sum(int(one.fields.get("x-fairlead-attempts", 0)) for one in answers)
        asked = sum(up.asked.values())
        recorded = [*serving.runtime.recorder.recent]
    return answers, attempts, asked, recorded


def check_storm(answers, attempts, asked, recorded, number):
    assert len(answers) == number
    assert Counter((one.status, one.error) for one in answers) == {(200, ""): number}
    assert all(b"good" in one.body for one in answers)
    assert attempts == asked, "what the answers say of attempts is not what the upstream counted"
    assert all(len(entry.tries) == entry.attempts for entry in recorded)


@pytest.mark.parametrize("fault", FAULTS)
def test_one_good_account(tmp_path, fault):
    """With one good account of three, no caller sees an error, and every attempt is recorded."""
    check_storm(*trio.run(storm, tmp_path, fault, 120), 120)


@pytest.mark.parametrize("stumble", ["500", "cut", "hang", "error"])
@pytest.mark.parametrize("first", [False, True], ids=["after others", "first"])
def test_the_good_account_stumbles(tmp_path, stumble, first):
    """While the others rest, a fault of the good account alone is tried again there, and no caller sees it."""

    async def main():
        modes = {KEYS[0]: "429", KEYS[1]: "429"}
        async with flock(modes) as up, served(tmp_path, pooled("box", up.root), **SHORT) as serving:
            if first:
                assert (await once(serving.port, "/v1/messages", message())).status == 200
            up.modes[GOOD] = f"once-{stumble}"
            answer = await once(serving.port, "/v1/messages", message(stream=stumble != "error"))
        assert (answer.status, answer.fields["x-fairlead-attempts"]) == (200, "2" if first else "4")

    trio.run(main)


def test_limits_are_of_who_answered(tmp_path):
    """A request's row has the limits that its last answer told of, none of an account whose stream broke off."""

    async def main():
        up = Upstream()
        told = (b"anthropic-ratelimit-tokens-limit", b"100"), (b"anthropic-ratelimit-tokens-remaining", b"10")
        up.script(stream_head(*told), close)
        up.default = (plain(b'{"type":"error","error":{"type":"permission_error","message":"no"}}', b"403 No"),)
        async with served(tmp_path, pooled("box", up.root, KEYS[:2])) as serving:
            assert (await once(serving.port, "/v1/messages", message())).status >= 400
            [refused] = serving.runtime.recorder.recent
        up.stop()
        assert (refused.attempts, refused.utilisation) == (3, None)

    trio.run(main)


def test_a_good_head_is_no_success(tmp_path):
    """An account whose streams break off before their content is left alone, though their heads are good."""

    async def main():
        modes = {KEYS[0]: "cut-after", KEYS[1]: "cut-after", GOOD: "good"}
        async with flock(modes) as up, served(tmp_path, pooled("box", up.root)) as serving:

            async def ask(caller, index):
                return await caller.ask("/v1/messages", message(text=f"conversation {index}"))

            answers = await crowd(serving.port, 60, 1, ask)
        assert {one.status for one in answers} == {200}
        assert sum(up.asked[key, "/v1/messages"] for key in KEYS[:2]) <= 8

    trio.run(main)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_one_good_account_for_long(tmp_path, fault):
    """The same 10,000 times."""
    check_storm(*trio.run(storm, tmp_path, fault, 10_000), 10_000)


@pytest.mark.parametrize(
    ("modes", "status", "attempts"),
    [
        (("429", "429", "429"), 429, "3"),
        (("401", "403", "401"), 401, "3"),
        # What failed everywhere is tried twice more before the client is asked to wait.
        (("500", "529", "500"), 529, "5"),
        (("401", "429", "500"), 429, "5"),
        (("hang", "hang", "hang"), 504, "5"),
        (("error", "error", "error"), 529, "5"),
    ],
)
def test_no_good_account(tmp_path, modes, status, attempts):
    """The most telling error in the caller's shape, with the attempts; it says when to try again, or that this cannot
    help."""
    streamed = "hang" in modes
    bodies = {
        "/v1/messages": message(stream=streamed),
        "/v1/chat/completions": message(stream=streamed),
        "/v1/responses": message(stream=streamed).replace(b'"messages"', b'"store":false,"input"'),
    }
    found = {}

    async def one(path):
        folder = tmp_path / path.rpartition("/")[2]
        folder.mkdir()
        options = {**SHORT, "timeouts_first_byte": "300ms", "queue_timeout": "5s"}
        async with (
            flock(dict(zip(KEYS, modes, strict=True))) as up,
            served(folder, pooled("box", up.root), **options) as serving,
        ):
            with trio.fail_after(PATIENCE):
                found[path] = await once(serving.port, path, bodies[path])
            await emptied(serving, up)
            assert str(sum(up.asked.values())) == attempts

    async def main():
        async with trio.open_nursery() as nursery:
            for path in bodies:
                nursery.start_soon(one, path)

    trio.run(main)
    for path, answer in found.items():
        told = json.loads(answer.body)
        assert answer.status == status
        assert answer.fields["x-fairlead-attempts"] == attempts
        if status == 401:
            assert (answer.fields["x-should-retry"], answer.fields.get("retry-after")) == ("false", None)
        else:
            assert "x-should-retry" not in answer.fields
            assert int(answer.fields["retry-after"]) >= 1
        assert told["error"]["message"]
        if status == 504:
            assert ("type" in told) is (path == "/v1/messages")
        elif modes[0] != "error":
            assert told == json.loads(OVERLOADED), "the upstream's error is not word for word"
        if status == 429:
            assert answer.fields["retry-after"] == "30"


DRAINED = [("x-ratelimit-limit-requests", "100"), ("x-ratelimit-remaining-requests", "1")]


async def converse(folder, turns):
    """Six sessions with the same first message take their turns; then the account of one drains."""
    async with flock({}) as up, served(folder, pooled("box", up.root), **LONG) as serving:

        async def turn(session):
            answer = await once(serving.port, "/v1/messages", message(), [("X-Claude-Code-Session-Id", session)])
            assert answer.status == 200
            return answer.fields["x-fairlead-account"]

        first = [await turn(f"session-{number}") for number in range(6)]
        pool = serving.runtime.snapshot.services["box"].pool
        assert len(pool.affinity) == 6
        assert {*first} == {"a0", "a1", "a2"}, "the sessions do not share the accounts"
        for _ in range(turns - 1):
            assert [await turn(f"session-{number}") for number in range(6)] == first
        bad = first[0]
        up.modes[KEYS[int(bad[1])]] = "429"
        moved = await turn("session-0")
        assert moved != bad
        assert await turn("session-0") == moved
        [record] = [one for one in serving.runtime.recorder.recent if len(one.tries) > 1][-1:]
        assert (record.binding.account, record.binding.turns) == (bad, turns + 1)
        assert [(one.account, one.status, one.done) for one in record.tries] == [
            (bad, 429, "parked"),
            (moved, 200, ""),
        ]
        up.limits[KEYS[int(moved[1])]] = DRAINED
        assert await turn("session-0") == moved, "what is left is known only once its answer came"
        assert await turn("session-0") == ({"a0", "a1", "a2"} - {bad, moved}).pop()


def test_sessions(tmp_path):
    """Same first message, another session: another binding. A session keeps its account; one that drains loses it."""
    trio.run(converse, tmp_path, 20)


@pytest.mark.slow
def test_sessions_for_long(tmp_path):
    """The same over 1,000 turns."""
    trio.run(converse, tmp_path, 1000)


def test_chain_keeps_its_order(tmp_path):
    """The accounts of a backend come before the chain, and the chain is asked in its order."""

    async def main():
        modes = dict.fromkeys([*KEYS, "key-of-second-0123456789"], "500")
        async with flock(modes) as up:
            backends = [
                pooled("box", up.root),
                backend("second", up.root, auth="key", key="key-of-second-0123456789"),
                backend("third", up.root, auth="key", key="key-of-third-0123456789"),
            ]
            tables = {"fallback": {"m*": ("second:m2", "third:m3")}}
            async with served(tmp_path, *backends, tables=tables, **LONG) as serving:
                answer = await once(serving.port, "/v1/messages", message("box:m"))
                [record] = [*serving.runtime.recorder.recent]
        return answer, record

    answer, record = trio.run(main)
    assert answer.status == 200
    assert answer.fields["x-fairlead-fallback"] == "third:m3"
    assert [one.backend for one in record.tries] == ["box", "box", "box", "second", "third"]
    assert record.notes.count("may have billed") == 4


def test_waits_for_a_parked_account(tmp_path):
    """One account alone: a limit that ends in a moment is waited for, and the wait is told."""

    async def main():
        async with flock({GOOD: "429-1"}) as up, served(tmp_path, pooled("box", up.root, [GOOD]), **LONG) as serving:
            async with trio.open_nursery() as nursery:
                found = []

                async def ask():
                    found.append(await once(serving.port, "/v1/messages", message()))

                nursery.start_soon(ask)
                await until(lambda: up.asked)
                up.modes[GOOD] = "good"
            await emptied(serving, up)
            [record] = [*serving.runtime.recorder.recent]
        return found[0], record

    answer, record = trio.run(main)
    assert (answer.status, answer.fields["x-fairlead-attempts"]) == (200, "2")
    assert [(one.status, one.done) for one in record.tries] == [(429, "parked"), (200, "")]
    assert 0.5 <= record.queued <= 5


def test_own_limits_and_bounds(tmp_path):
    """Requests wait for the user's own limits; a full line is 503, a minute too far away a 429 that names the limit."""

    async def main():
        configured(tmp_path, "[queue]\nmax_queued = 2\ntimeout = '2s'\n[backends.box]\nmin_interval = '300ms'\nrpm = 4")
        async with flock({}) as up, served(tmp_path, pooled("box", up.root, [GOOD]), **LONG) as serving:
            found = await crowd(serving.port, 5, 5, lambda caller, _: caller.ask("/v1/messages", message()))
            assert sorted(one.status for one in found) == [200, 200, 200, 503, 503]
            assert all("queue.max_queued" in one.body.decode() for one in found if one.status == 503)
            assert (await once(serving.port, "/v1/messages", message())).status == 200
            late = await once(serving.port, "/v1/messages", message())
            assert (late.status, 50 < int(late.fields["retry-after"]) <= 62) == (429, True)
            assert "backends.box.rpm" in json.loads(late.body)["error"]["message"]
            await emptied(serving, up)
            assert sum(up.asked.values()) == 4

    trio.run(main)


def test_a_leaving_caller_frees_its_place(tmp_path):
    """Who leaves while it waits, or while it is served, makes room at once."""

    async def main():
        async with flock({GOOD: "hang"}) as up:
            box = pooled("box", up.root, [GOOD])
            async with served(tmp_path, box, queue_max_concurrent="1", **LONG) as serving:
                line = serving.runtime.snapshot.services["box"].queue
                async with trio.open_nursery() as nursery:
                    scopes = [trio.CancelScope() for _ in range(3)]

                    async def ask(scope):
                        with scope:
                            await once(serving.port, "/v1/messages", message())

                    for number, scope in enumerate(scopes):
                        nursery.start_soon(ask, scope)
                        await until(lambda number=number: line.running + line.waiting > number)
                    assert (line.running, line.waiting) == (1, 2)
                    for scope, left in zip(scopes[::-1], [(1, 1), (1, 0), (0, 0)], strict=True):
                        scope.cancel()
                        await until(lambda left=left: (line.running, line.waiting) == left)

    trio.run(main)


def test_reload_keeps_what_is_known(tmp_path):
    """State and sessions of an account outlive a reload; a new key of the same name begins anew."""

    async def main():
        async with flock({KEYS[0]: "429"}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            assert (await once(serving.port, "/v1/messages", message())).fields["x-fairlead-account"] == "a1"
            path = tmp_path / "home" / "backends" / "box.json"
            path.write_text(json.dumps(pooled("box", up.root, KEYS[:3])))
            await serving.reload().wait()
            service = serving.runtime.snapshot.services["box"]
            now = service.queue.clock()
            assert [one.state(now) for one in service.pool.members] == ["parked", "ready", "ready"]
            assert len(service.pool.affinity) == 1
            path.write_text(json.dumps(pooled("box", up.root, (KEYS[2], KEYS[1]))))
            await serving.reload().wait()
            service = serving.runtime.snapshot.services["box"]
            assert [one.state(now) for one in service.pool.members] == ["ready", "ready"]

    trio.run(main)
