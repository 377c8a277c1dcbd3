"""Backends as users store them, and the runtime after a reload of them."""

from router.backends import Account, Backend
from router.errors import CommandError
from router.upstream.configuration import read

KEY = "sk-very-secret-0123456789"


def backend(name="up", *, key=KEY, **fields):
    return Backend(
        **{
            "name": name,
            "root": f"https://{name}.example/v1",
            "protocols": ("chat",),
            "accounts": (Account("main", key),) if key else (),
            **fields,
        }
    )


def reload(runtime):
    """What a reload does, without its thread."""
    try:
        runtime.apply(read(runtime.home, runtime.settings))
    except CommandError as error:
        runtime.keep_last_good(error)


def target(runtime, name="up"):
    return runtime.snapshot.targets[name]
