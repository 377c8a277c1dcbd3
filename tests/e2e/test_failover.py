"""Several accounts of one backend: what fails at one goes to the next, and no caller notices (product.md 7)."""

import json
from collections import Counter
from contextlib import asynccontextmanager

import pytest
import trio

from .flock import OVERLOADED, crowd, flock, once
from .processes import backend, inside

KEYS = ("key-one-0123456789", "key-two-0123456789", "key-three-0123456789")
GOOD = KEYS[2]
FAULTS = ("429", "401", "403", "500", "503", "529", "hang", "hang-after", "cut", "cut-after", "error", "flap")
SHORT = {"timeouts_first_byte": "1s", "timeouts_idle": "1s", "timeouts_connect": "5s"}
LONG = {"timeouts_first_byte": "20s", "timeouts_idle": "20s"}


def pooled(name, root, keys=KEYS, **options):
    """A backend file with an account for each key."""
    found = backend(name, root, auth="key", key=keys[0], **options)
    return found | {"accounts": [{"alias": f"a{number}", "key": key} for number, key in enumerate(keys)]}


def message(model="m", *, stream=True, text="hi", **more):
    """A Messages request."""
    asked = {"model": model, "max_tokens": 9, **({"stream": True} if stream else {}), **more}
    return json.dumps({**asked, "messages": [{"role": "user", "content": text}]}, separators=(",", ":")).encode()


@asynccontextmanager
async def served(folder, *backends, **settings):
    """A proxy in this trio run that has read its catalogs."""
    async with inside(folder, backends=backends, **{"default_backend": "box", **settings}) as serving:
        await serving.runtime.settled()
        yield serving


async def until(condition):
    """Wait until the condition holds."""
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - nobody tells when the counts change
            await trio.sleep(0.01)


async def emptied(serving, up):
    """Wait until nothing of a request is left: no connection in use, no held byte, no place in a line."""
    runtime = serving.runtime
    services = runtime.snapshot.services.values()

    def left():
        places = sum(one.line.running + one.line.waiting for one in services)
        return places, runtime.buffers.held, runtime.connections.open - runtime.connections.idle

    await until(lambda: left() == (0, 0, 0))
    assert all(member.running == 0 for one in services for member in one.pool.members)
    assert up.running <= runtime.connections.open + 1


async def storm(folder, fault, number, *, modes=None):
    """Ask `number` times at concurrency 64 while all accounts but the last have the fault."""
    modes = modes or {KEYS[0]: fault, KEYS[1]: fault, GOOD: "good"}
    async with (
        flock(modes) as up,
        inside(folder, backends=[pooled("box", up.root)], default_backend="box", **SHORT) as serving,
    ):

        async def ask(caller, index):
            streamed = index % 2 == 0 or fault.startswith("hang")
            return await caller.ask("/v1/messages", message(stream=streamed, text=f"conversation {index % 700}"))

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
        # What failed everywhere is tried twice more, since the client is told not to.
        (("500", "529", "500"), 529, "5"),
        (("401", "429", "500"), 429, "5"),
        (("hang", "hang", "hang"), 504, "5"),
        (("error", "error", "error"), 529, "5"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_no_good_account(tmp_path, modes, status, attempts, path):
    """The most telling error in the caller's shape, with the attempts, and the word not to try again."""

    async def main():
        found = dict(zip(KEYS, modes, strict=True))
        async with flock(found) as up, served(tmp_path, pooled("box", up.root), queue_timeout="5s", **SHORT) as serving:
            with trio.fail_after(30):
                answer = await once(serving.port, path, message(stream="hang" in modes))
            await emptied(serving, up)
            return answer, sum(up.asked.values())

    answer, asked = trio.run(main)
    told = json.loads(answer.body)
    assert answer.status == status
    assert (answer.fields["x-fairlead-attempts"], str(asked)) == (attempts, attempts)
    assert answer.fields["x-should-retry"] == "false"
    assert told["error"]["message"]
    if status == 504:
        assert ("type" in told) is (path == "/v1/messages")
    elif modes[0] != "error":
        assert told == json.loads(OVERLOADED), "the upstream's error is not word for word"
    if status == 429:
        assert answer.fields["retry-after"] == "30"


FREE = {
    "/v1/messages": message(stream=False),
    "/v1/messages/count_tokens": message(stream=False),
    "/v1/chat/completions": message(stream=False),
    "/v1/embeddings": b'{"model":"m","input":"x"}',
    "/v1/responses": b'{"model":"m","store":false,"input":"x"}',
}
SERVED = {
    "/v1/responses": b'{"model":"m","input":"x"}',
    "/v1/images/generations": b'{"model":"m","prompt":"x"}',
    "/v1/batches": b'{"x":1}',
}
BEFORE, AFTER = ("401", "403", "429"), ("500", "529", "cut")


@pytest.mark.parametrize("fault", BEFORE + AFTER)
@pytest.mark.parametrize(
    ("path", "body", "free"),
    [*((path, body, True) for path, body in FREE.items()), *((path, body, False) for path, body in SERVED.items())],
)
def test_what_is_sent_again(tmp_path, path, body, free, fault):
    """The upstream's own count: what may have been served is sent again only where that does no harm."""

    async def main():
        async with flock({KEYS[0]: fault}) as up, served(tmp_path, pooled("box", up.root, KEYS[:2]), **LONG) as serving:
            answer = await once(serving.port, path, body)
            return answer, sum(up.asked.values()), up.asked[KEYS[0], path]

    answer, asked, first = trio.run(main)
    assert first == 1
    moves = free or fault in BEFORE
    assert asked == (2 if moves else 1)
    assert (answer.status == 200) is moves
    assert answer.fields.get("x-fairlead-attempts") == str(asked)
    assert "x-should-retry" not in answer.fields


def test_final_errors_are_final(tmp_path):
    """A request that is at fault itself is not sent again, whoever else is there."""

    async def main():
        async with flock(dict.fromkeys(KEYS, "400")) as up, served(tmp_path, pooled("box", up.root)) as serving:
            answer = await once(serving.port, "/v1/messages", message())
            return answer.status, sum(up.asked.values())

    assert trio.run(main) == (400, 1)


def test_sessions(tmp_path):
    """Same first message, another session: another binding. A session keeps its account; one that fails loses it."""

    async def main():
        async with flock({}) as up, served(tmp_path, pooled("box", up.root), **LONG) as serving:

            async def turn(session):
                answer = await once(serving.port, "/v1/messages", message(), [("X-Claude-Code-Session-Id", session)])
                assert answer.status == 200
                return answer.fields["x-fairlead-account"]

            first = [await turn(f"session-{number}") for number in range(6)]
            pool = serving.runtime.snapshot.services["box"].pool
            assert len(pool.bindings) == 6
            assert {*first} == {"a0", "a1", "a2"}, "the sessions do not share the accounts"
            for _ in range(60):
                assert [await turn(f"session-{number}") for number in range(6)] == first
            bad = first[0]
            up.modes[KEYS[int(bad[1])]] = "429"
            moved = await turn("session-0")
            assert moved != bad
            assert await turn("session-0") == moved
            [record] = [one for one in serving.runtime.recorder.recent if len(one.tries) > 1][-1:]
            assert (record.binding.account, record.binding.turns) == (bad, 62)
            assert [(one.account, one.status, one.done) for one in record.tries] == [
                (bad, 429, "parked"),
                (moved, 200, ""),
            ]

    trio.run(main)


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
        async with flock({GOOD: "429-soon"}) as up, served(tmp_path, pooled("box", up.root, [GOOD]), **LONG) as serving:
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
        (tmp_path / "home").mkdir(mode=0o700)
        config = tmp_path / "home" / "config.toml"
        config.touch(mode=0o600)
        config.write_text("[queue]\nmax_queued = 2\ntimeout = '2s'\n[backends.box]\nmin_interval = '300ms'\nrpm = 4\n")
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
                line = serving.runtime.snapshot.services["box"].line
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
            now = service.line.clock()
            assert [one.state(now) for one in service.pool.members] == ["parked", "ready", "ready"]
            assert len(service.pool.bindings) == 1
            path.write_text(json.dumps(pooled("box", up.root, (KEYS[2], KEYS[1]))))
            await serving.reload().wait()
            service = serving.runtime.snapshot.services["box"]
            assert [one.state(now) for one in service.pool.members] == ["ready", "ready"]

    trio.run(main)
