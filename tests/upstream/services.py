"""The service of a backend with its accounts, without sockets, from stored backends and settings alone."""

from dataclasses import replace

from router.backends import Account
from router.policy.budget.guard import Halt
from router.settings import Settings
from router.upstream.configuration import read

from .runtimes import backend

ACCOUNTS = (Account("a0", "sk-first-0123456789"), Account("a1", "sk-second-0123456789"))


def two_accounts(name="up", **fields):
    """A backend with the accounts a0 and a1."""
    return backend(name, **{"accounts": ACCOUNTS, **fields})


def service(runtime, name="up"):
    """A backend of the runtime as it serves now."""
    return runtime.snapshot.services[name]


def members(runtime, name="up"):
    """The accounts of a backend, by alias."""
    return {member.alias: member for member in service(runtime, name).pool.members}


def reconfigure(runtime, **settings):
    """What a reload does after the settings were changed."""
    runtime.apply(read(runtime.home, Settings(**settings)))


class HaltingGuard:
    """A guard that has halted some scopes, and has no budgets."""

    halts = True
    rules = None

    def __init__(self, *scopes, until, reason="used up"):
        self._halts = {scope: Halt(scope, 0.0, until, reason, "req_1") for scope in scopes}

    def held(self, scope):
        """The halt of a scope, None when there is none."""
        return self._halts.get(scope)


def halted(found, *aliases, until, reason="used up"):
    """The service while the guard halts these accounts of it."""
    scopes = [f"account {found.name}/{alias}" for alias in aliases]
    return replace(found, guard=HaltingGuard(*scopes, until=until, reason=reason))
