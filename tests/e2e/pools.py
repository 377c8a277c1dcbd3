"""Backends with several accounts, on a proxy in this trio run: what the tests of pools have in common."""

import json
from contextlib import asynccontextmanager

import trio

from ..patience import PATIENCE
from .processes import backend, inside, make_home

KEYS = ("key-one-0123456789", "key-two-0123456789", "key-three-0123456789")
GOOD = KEYS[2]
SHORT = {"timeouts_first_byte": "1s", "timeouts_idle": "1s", "timeouts_connect": "5s"}
LONG = {"timeouts_first_byte": "20s", "timeouts_idle": "20s"}


def pooled(name, root, keys=KEYS, **options):
    """A backend file with an account for each key."""
    found = backend(name, root, auth="key", key=keys[0], **options)
    return found | {"accounts": [{"alias": f"a{number}", "key": key} for number, key in enumerate(keys)]}


def configured(folder, text):
    """Make the home, with this config.toml."""
    path = make_home(folder) / "config.toml"
    path.touch(mode=0o600)
    path.write_text(f"{text}\n")


def message(model="m", *, stream=True, text="hi", **more):
    """A Messages request."""
    asked = {"model": model, "max_tokens": 9, **({"stream": True} if stream else {}), **more}
    return json.dumps({**asked, "messages": [{"role": "user", "content": text}]}, separators=(",", ":")).encode()


@asynccontextmanager
async def served(folder, *backends, **settings):
    """A proxy in this trio run that has read its catalogs."""
    async with inside(folder, backends=backends, **{"default_backend": "box", **settings}) as serving:
        await serving.runtime.catalogs.wait_complete()
        yield serving


async def until(condition):
    """Wait until the condition holds."""
    with trio.fail_after(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody tells when the counts change
            await trio.sleep(0.01)


async def emptied(serving, up):
    """Wait until nothing of a request is left: no connection in use, no held byte, no place in a line."""
    runtime = serving.runtime
    services = runtime.snapshot.services.values()

    def left():
        places = sum(one.queue.running + one.queue.waiting for one in services)
        return places, runtime.memory.reserved, runtime.connections.open - runtime.connections.idle

    await until(lambda: left() == (0, 0, 0))
    assert all(member.running == 0 for one in services for member in one.pool.members)
    assert up.running <= runtime.connections.open + 1
