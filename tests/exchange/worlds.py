"""Backends, requests and upstream answers for plays."""

import time

from router.backends import Account
from router.policy.budget.guard import Halt, read_rules
from router.settings import Settings

from ..answers import GOOD, PATHS
from ..upstream.runtimes import backend
from .upstreams import says

CHAT, MESSAGES, RESPONSES = PATHS["chat"], PATHS["messages"], PATHS["responses"]


def secret_of(alias):
    return f"sk-of-{alias}-0123456789"


def box(name="box", *aliases, protocols=("chat",), **fields):
    """A backend with an account for each alias."""
    accounts = tuple(Account(alias, secret_of(alias)) for alias in aliases or ("a0", "a1"))
    return backend(name, key="", protocols=protocols, accounts=accounts, **fields)


def in_order(**settings):
    """Settings by which the first account is asked first."""
    return Settings(pool_strategy="fill-first", **settings)


def chat(model="box:m", **more):
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], **more}


def message(model="box:m", **more):
    return {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], **more}


def response(model="box:m", **more):
    return {"model": model, "input": "hi", "store": False, **more}


def good(protocol="chat", *fields):
    return says(200, GOOD[protocol], *fields)


def refuses(status, *fields, message="no", **error):
    """An error as OpenAI's protocols have it."""
    return says(status, {"error": {"message": message, "type": "some_error", **error}}, *fields)


def wait(seconds):
    return (b"retry-after", b"%d" % seconds)


def members(runtime, name="box"):
    return runtime.snapshot.services[name].pool.members


def states(runtime, name="box"):
    """The state of each account of a backend."""
    now = runtime.snapshot.services[name].queue.clock()
    return [one.state(now) for one in members(runtime, name)]


class Rounds:
    """What the guard shares with other processes, without a file: nothing is ever new."""

    def __init__(self):
        self.woken = 0

    async def current(self):
        pass

    async def over(self):
        pass

    def wake(self):
        self.woken += 1


def guarded(runtime, *halted, billing=()):
    """Have a runtime guarded, with halts of these scopes."""
    guard = runtime.guard
    guard.rules = read_rules(Settings(guard_billing=tuple(billing) or ("standard",)))
    guard._sync = Rounds()
    now = time.time()
    guard.halts = tuple(Halt(scope, now, now + 3600, f"{scope} spent its budget", "req_0") for scope in halted)
    return guard
