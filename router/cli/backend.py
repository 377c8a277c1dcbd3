"""`fairlead backend`: list, remove and test backends; `backend_add` and `backend_set` add and change them."""

import contextlib
import json
import os
from collections.abc import Iterable
from importlib import import_module

import msgspec

from router.backends import Account, Backend
from router.cli.parser import Parser, nearest
from router.cli.text import note_problems, table
from router.errors import CommandError, UsageError
from router.store import backends
from router.store.home import Home, open_home
from router.store.references import describe, source

_COMMANDS = {
    "add": ("router.cli.backend_add:run", "add a backend, or change one"),
    "list": ("router.cli.backend:run_list", "show the backends"),
    "set": ("router.cli.backend_set:run", "change one: its URL, protocols or key"),
    "enable": ("router.cli.backend_set:run_enable", "have one serve again"),
    "disable": ("router.cli.backend_set:run_disable", "have one take no new request"),
    "remove": ("router.cli.backend:run_remove", "remove a backend and its key"),
    "test": ("router.cli.backend:run_test", "send it a tiny request in each protocol"),
}


def run(argv: list[str]) -> int:
    """Run one of the backend commands."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_overview())
        return 0 if argv else 2
    name = argv[0]
    if name not in _COMMANDS:
        near = nearest(name, _COMMANDS)
        hint = f"Did you mean:   fairlead backend {near}" if near else "See:   fairlead backend --help"
        raise UsageError(f"unknown command: backend {name}", hint)
    module, _, function = _COMMANDS[name][0].partition(":")
    return getattr(import_module(module), function)(argv[1:])


def _overview() -> str:
    lines = ["usage: fairlead backend COMMAND …", ""]
    lines += [f"  {name:<8} {about}" for name, (_, about) in _COMMANDS.items()]
    lines += ["", "examples:", "  fairlead backend add groq --key-env GROQ_API_KEY", "  fairlead backend test groq"]
    return "\n".join(lines)


def summary(backend: Backend) -> tuple[str, str, str, str]:
    """What the lists say of a backend: name, root, protocols, key."""
    return backend.name, backend.root, ", ".join(backend.protocols), credentials(backend)


def credentials(backend: Backend) -> str:
    """How its requests are authenticated, in words; never a key."""
    if backend.auth == "client":
        return "each tool's own login"
    if backend.auth == "none":
        return "no key"
    if len(backend.accounts) == 1:
        return describe(backend.accounts[0].key, os.environ)
    # Until there is a pool, the first one serves.
    listed = [
        f"{account.alias} ({'waits' if place else 'serves'}) {describe(account.key, os.environ)}"
        for place, account in enumerate(backend.accounts)
    ]
    return ", ".join(listed) or "no key stored"


def run_list(argv: list[str]) -> int:
    """Show the backends; exit code 1 when one could not be read."""
    parser = Parser(
        "backend list",
        "Show the backends in the order they were added.",
        examples=["fairlead backend list"],
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    found, problems = backends.load(open_home(os.environ))
    if options.json:
        listed = {
            "backends": [_plain(backend) for backend in found],
            "problems": [{"backend": problem.name, "message": problem.message} for problem in problems],
        }
        print(json.dumps(listed, indent=2))
    elif found:
        off = [("", "disabled")[not backend.enabled] for backend in found]
        print("\n".join(table([(*summary(entry), state) for entry, state in zip(found, off, strict=True)])))
    elif not problems:
        print("No backends. Add one:   fairlead backend add anthropic --key-stdin")
    note_problems(problems)
    return 1 if problems else 0


def _plain(backend: Backend) -> dict[str, object]:
    return {
        "name": backend.name,
        "base_url": backend.root,
        "protocols": backend.protocols,
        "auth": backend.auth,
        "credentials": credentials(backend),
        "enabled": backend.enabled,
        "accounts": plain_accounts(backend),
    }


def plain_accounts(backend: Backend) -> list[dict[str, object]]:
    """The accounts of a backend for JSON; source: stored, env, file, cmd or keyring."""
    return [
        {
            "alias": account.alias,
            "source": source(account.key),
            "credentials": describe(account.key, os.environ),
            "serves": backend.enabled and account is backend.accounts[0],
        }
        for account in backend.accounts
    ]


def run_remove(argv: list[str]) -> int:
    """Remove a backend; its key goes with it."""
    parser = Parser(
        "backend remove",
        "Remove a backend and its key. A running proxy takes no new request for it.",
        examples=["fairlead backend remove groq"],
    )
    parser.add_argument("name", metavar="NAME", help="the backend")
    options = parser.read(argv)
    home = open_home(os.environ)
    name = backends.check_name(options.name)
    before = None
    with home.lock():
        with contextlib.suppress(CommandError):
            before = backends.find(home, name)
        removed = backends.remove(home, name)
    if not removed:
        raise unknown(home, name)
    print(f"Removed {name}.")
    if before is not None:
        note_entries(before.accounts)
    from router.cli.running import tell_change

    tell_change(home)
    return 0


def note_entries(accounts: Iterable[Account]) -> None:
    """Say which keyring entries stay when accounts go: they are not fairlead's alone."""
    for account in accounts:
        if source(account.key) == "keyring":
            print(f"Its entry in the keyring stays: {account.key.partition(':')[2]}")


def run_test(argv: list[str]) -> int:
    """Test a backend; exit code 1 when something does not work."""
    parser = Parser(
        "backend test",
        "Read a backend's model list, then send one tiny request in each of its protocols and say what came.\n"
        "A hosted provider bills these requests: a few tokens each.",
        examples=["fairlead backend test groq", "fairlead backend test groq --model llama-3.3-70b-versatile"],
    )
    parser.add_argument("name", metavar="NAME", help="the backend")
    parser.add_argument("--model", metavar="MODEL", help="the model to ask (default: one from its list)")
    parser.add_argument("--account", metavar="ALIAS", help="the account whose key is used (default: the first)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    name = backends.check_name(options.name)
    backend = backends.find(home, name)
    if backend is None:
        raise unknown(home, name)
    if options.account is not None:
        backend = _with_account(backend, backends.check_alias(options.account))
    return _test(backend, options.model, as_json=options.json)


def _with_account(backend: Backend, alias: str) -> Backend:
    found = tuple(account for account in backend.accounts if account.alias == alias)
    if not found:
        raise no_account(backend, alias)
    return msgspec.structs.replace(backend, accounts=found)


def no_account(backend: Backend, alias: str) -> CommandError:
    """The error for an account that is not there."""
    listed = ", ".join(account.alias for account in backend.accounts) or "none"
    return CommandError(f"{backend.name} has no account {alias}.", f"Its accounts: {listed}.")


def _test(backend: Backend, model: str | None, *, as_json: bool) -> int:
    import trio

    from router.cli import reach

    contact, model, trials = trio.run(reach.tested, backend, model)
    passed = contact.ok and all(trial.ok for trial in trials)
    if as_json:
        result = {
            "backend": _plain(backend),
            "ok": passed,
            "reached": contact.ok,
            "text": contact.text,
            "model": model,
            "protocols": [msgspec.to_builtins(trial) for trial in trials],
        }
        print(json.dumps(result, indent=2))
        return 0 if passed else 1
    print("   ".join(summary(backend)))
    for line in contact.text.splitlines()[: None if not contact.ok else 1]:
        print(f"  {line}")
    rows = [(trial.protocol, "ok" if trial.ok else "failed", f"{trial.ms} ms", trial.text) for trial in trials]
    if rows:
        print(f"  asked {model}:")
        print("\n".join(table(rows, "    ")))
    elif contact.ok:
        print(f"  {_untested(backend)}")
    return 0 if passed else 1


def _untested(backend: Backend) -> str:
    if backend.auth == "client":
        return "not tested further: only a tool has the login"
    return f"not tested further, no model is known; name one:   fairlead backend test {backend.name} --model MODEL"


def unknown(home: Home, name: str) -> CommandError:
    """The error for a backend that is not there."""
    configured = home.names(backends.FOLDER, ".json")
    if not configured:
        return CommandError(f"no backend {name}; none is configured.", f"Add one:   fairlead backend add {name}")
    near = nearest(name, configured)
    meant = f"Did you mean {near}? " if near else ""
    return CommandError(f"no backend {name}.", f"{meant}Configured: {', '.join(configured)}.")
