"""Several accounts of one backend: what fails at one goes to the next, and no caller notices (product.md 7)."""

import json
from collections import Counter

import pytest
import trio

from .flock import crowd, flock
from .processes import backend, inside

KEYS = ("key-one-0123456789", "key-two-0123456789", "key-three-0123456789")
GOOD = KEYS[2]
FAULTS = ("429", "401", "403", "500", "503", "529", "hang", "hang-after", "cut", "error", "flap")
SHORT = {"timeouts_first_byte": "300ms", "timeouts_idle": "300ms", "timeouts_connect": "5s"}


def pooled(name, root, keys=KEYS, **options):
    """A backend file with an account for each key."""
    found = backend(name, root, auth="key", key=keys[0], **options)
    return found | {"accounts": [{"alias": f"a{number}", "key": key} for number, key in enumerate(keys)]}


def message(model="m", *, stream=True, text="hi", **more):
    """A Messages request."""
    asked = {"model": model, "max_tokens": 9, **({"stream": True} if stream else {}), **more}
    return json.dumps({**asked, "messages": [{"role": "user", "content": text}]}, separators=(",", ":")).encode()


async def emptied(serving, up):
    """Wait until nothing of a request is left: no connection in use, no held byte, no place in a line."""
    runtime = serving.runtime
    with trio.fail_after(10):
        while True:
            services = runtime.snapshot.services.values()
            held = runtime.buffers.held, sum(one.line.running + one.line.waiting for one in services)
            busy = runtime.connections.open - runtime.connections.idle
            if (*held, busy) == (0, 0, 0):
                break
            await trio.sleep(0.02)
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
    check_storm(*trio.run(storm, tmp_path, fault, 300), 300)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_one_good_account_for_long(tmp_path, fault):
    """The same 10,000 times."""
    check_storm(*trio.run(storm, tmp_path, fault, 10_000), 10_000)
