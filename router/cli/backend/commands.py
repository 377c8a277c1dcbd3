"""`fairlead backend`: the table of its commands; list, remove and test are here."""

import contextlib
import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import msgspec

from router.backends import Account, Backend
from router.cli.backend.key import open_credentials
from router.cli.backend.running_keys import RunningKeys, note_problems_there, read_running_keys
from router.cli.common.group import run_group
from router.cli.common.layout import find_width, format_table, print_json, say, wrap
from router.cli.common.output import note_problems
from router.cli.common.parser import Parser
from router.cli.common.pending import note_pending
from router.errors import CommandError
from router.store.config import backends, redacted, toml
from router.store.home.home import Home, open_home
from router.store.keys.references import find_login, source
from router.watch.amounts import format_seconds

_COMMANDS = {
    "add": ("router.cli.backend.add:run", "add a backend, or change one"),
    "list": ("router.cli.backend.commands:run_list", "show the backends"),
    "set": ("router.cli.backend.set:run", "change one: its URL, protocols or key"),
    "enable": ("router.cli.backend.set:run_enable", "enable a backend"),
    "disable": ("router.cli.backend.set:run_disable", "send it no new requests"),
    "remove": ("router.cli.backend.commands:run_remove", "remove a backend and its key"),
    "test": ("router.cli.backend.commands:run_test", "send it a tiny request in each protocol"),
}
_EXAMPLES = ("fairlead backend add groq --key-env GROQ_API_KEY", "fairlead backend test groq")


def run(argv: list[str]) -> int:
    """Run one of the backend commands."""
    return run_group(
        "backend",
        _COMMANDS,
        argv,
        examples=_EXAMPLES,
    )


def summarize(backend: Backend, keys: RunningKeys) -> tuple[str, str, str, str]:
    """A row of the lists: name, root, protocols, where the key comes from."""
    return backend.name, backend.root, ", ".join(backend.protocols), keys.describe_all(backend)


def print_summary(backend: Backend, keys: RunningKeys) -> None:
    """Print the row of one backend."""
    print("\n".join(format_table([summarize(backend, keys)], width=find_width())))


def print_indented(text: str) -> None:
    """Print what belongs to the row above; lines are broken for the terminal's width."""
    print("\n".join(wrap(text, find_width(), "  ")))


def run_list(argv: list[str]) -> int:
    """Show the backends; exit code 1 when one could not be read."""
    parser = Parser(
        "backend list",
        "Show the backends in the order they were added.",
        examples=["fairlead backend list"],
    )
    parser.add_argument("--json", action="store_true", help="print them as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    note_pending(home)
    found, problems = backends.load(home)
    headers, unread = _read_header_names(home)
    problems = (*problems, *unread)
    keys = read_running_keys(home)
    if options.json:
        listed = {
            "backends": [keys.report(entry, headers.get(entry.name, ())) for entry in found],
            "problems": [{"backend": problem.name, "message": problem.message} for problem in problems],
        }
        print_json(listed)
    elif found:
        rows = [(*summarize(entry, keys), _format_extras(entry, headers.get(entry.name, ()))) for entry in found]
        print("\n".join(format_table(rows, header=("backend", "url", "speaks", "key", ""), width=find_width())))
        _print_key_problems(found, keys)
    elif not problems:
        say("No backends. Add one:   fairlead backend add anthropic --key-stdin")
    note_problems(problems)
    return 1 if problems else 0


def _print_key_problems(listed: Iterable[Backend], keys: RunningKeys) -> None:
    for backend in listed:
        for account in backend.accounts:
            problem = keys.find_problem(backend, account)
            if problem:
                say(f"{backend.name}/{account.alias} cannot be used: {problem}")


def _format_extras(backend: Backend, headers: Sequence[str]) -> str:
    """The last column of the list: `disabled`, how the key is sent where that was chosen, and which headers are set."""
    said = [] if backend.enabled else ["disabled"]
    said += [f"key as {backend.auth_header}"] if backend.auth_header else []
    return "   ".join([*said, *([f"sets {', '.join(headers)}"] if headers else [])])


def _read_header_names(home: Home) -> tuple[Mapping[str, tuple[str, ...]], tuple[backends.Problem, ...]]:
    """The names of the headers that config.toml sets, by backend; a file that cannot be read is a problem."""
    try:
        options = toml.load(home, os.environ).settings.backends
    except CommandError as error:
        return {}, (backends.Problem("", str(error), error.hint),)
    return {name: tuple(entry.edits.set_headers) for name, entry in options.items()}, ()


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
    name = check_stored_name(options.name)
    removed, before = backends.discard(home, name)
    if not removed:
        raise make_unknown_backend_error(home, name)
    say(f"Removed {name}.")
    if before is not None:
        note_entries(before.accounts)
    _note_table(home, name)
    from router.cli.common.running_proxy import tell_change

    tell_change(home)
    return 0


def _note_table(home: Home, name: str) -> None:
    """Note when config.toml still has a table for a removed backend: a new one of that name would get its options."""
    with contextlib.suppress(CommandError):
        file = toml.read(home)
        held = file.tree.get("backends") if file else None
        for key in cast("dict[str, object]", held) if isinstance(held, dict) else ():
            if key.lower() == name:
                say(f"[backends.{key}] stays in config.toml. Remove it:   fairlead config unset backends.{key}")


def note_entries(accounts: Iterable[Account]) -> None:
    """Print which keyring entries and logins stay when accounts are removed: others may use them too."""
    for account in accounts:
        if login := find_login(account.key):
            say(f"Its login stays. End it:   fairlead login logout {login}")
        if source(account.key) == "keyring":
            say(f"Its entry in the keyring stays: {account.key.partition(':')[2]}")


def run_test(argv: list[str]) -> int:
    """Test a backend; exit code 1 when something does not work."""
    parser = Parser(
        "backend test",
        "Read a backend's model list, then send one tiny request in each of its protocols and say what came. "
        "A hosted provider bills these requests: a few tokens each.",
        examples=["fairlead backend test groq", "fairlead backend test groq --model llama-3.3-70b-versatile"],
    )
    parser.add_argument("name", metavar="NAME", help="the backend")
    parser.add_argument("--model", metavar="MODEL", help="the model to ask (default: one from its list)")
    parser.add_argument("--account", metavar="ALIAS", help="the account whose key is used (default: the first)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    options = parser.read(argv)
    home = open_home(os.environ)
    backend = find_backend(home, options.name)
    tried = backend if options.account is None else _select_account(backend, backends.check_alias(options.account))
    return _test(home, backend, tried, options.model, as_json=options.json)


def _select_account(backend: Backend, alias: str) -> Backend:
    found = tuple(account for account in backend.accounts if account.alias == alias)
    if not found:
        raise make_unknown_account_error(backend, alias)
    return msgspec.structs.replace(backend, accounts=found)


def make_unknown_account_error(backend: Backend, alias: str) -> CommandError:
    """The error for an account that does not exist."""
    listed = ", ".join(account.alias for account in backend.accounts) or "none"
    return CommandError(f"{backend.name} has no account {alias}.", f"Its accounts: {listed}.")


def _test(home: Home, stored: Backend, backend: Backend, model: str | None, *, as_json: bool) -> int:
    from router.cli.common import probe_backend
    from router.host.event_loop import run_async

    contact, model, trials = run_async(
        probe_backend.probe_all,
        backend,
        model,
        open_credentials(home),
        probe_backend.build_outbound(home, backend),
    )
    keys = read_running_keys(home)
    passed = contact.ok and all(trial.ok for trial in trials)
    if as_json:
        result = {
            "backend": keys.report(backend),
            "ok": passed,
            "reached": contact.ok,
            "text": contact.text,
            "model": model,
            "protocols": [msgspec.to_builtins(trial) for trial in trials],
        }
        print_json(result)
        return 0 if passed else 1
    print_summary(backend, keys)
    print_indented(contact.text.splitlines()[0] if contact.ok else contact.text)
    rows = [(trial.protocol, "ok" if trial.ok else "failed", format_seconds(trial.ms), trial.text) for trial in trials]
    if rows:
        say(f"  asked {model}:")
        print("\n".join(format_table(rows, "    ", right={2}, width=find_width())))
    elif contact.ok:
        print_indented(_format_untested(backend))
    if backend.accounts and (contact.fix in ("key", "own") or any(trial.status == 401 for trial in trials)):
        print_indented(redacted.advise_key(stored, backend.accounts[0].alias))
    note_problems_there(home, backend)
    return 0 if passed else 1


def _format_untested(backend: Backend) -> str:
    if backend.auth == "client":
        return "not tested further: only a tool has the login"
    return f"not tested further, no model is known; name one:   fairlead backend test {backend.name} --model MODEL"


def make_unknown_backend_error(home: Home, name: str) -> CommandError:
    """The error for a backend that does not exist; it names a similar one."""
    configured = home.names(backends.FOLDER, ".json")
    if not configured:
        return CommandError(
            f"there is no backend named {name}; none is configured.", f"Add it:   fairlead backend add {name}"
        )
    near = find_near_name(name, configured)
    meant = f"Did you mean {near}? " if near else ""
    return CommandError(f"there is no backend named {name}.", f"{meant}Configured: {', '.join(configured)}.")


def find_near_name(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant, '' when none is like it: names are short, so that a few letters in common mean
    nothing."""
    return next(iter(difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.75)), "")


def check_stored_name(named: str) -> str:
    """The name in lower case. Raises CommandError when no stored backend can have it."""
    if named.lower() == backends.RESERVED:
        raise CommandError(
            f"{backends.RESERVED} is the built-in demo backend; it has a setting of its own.",
            "Turn it off:   fairlead config set demo off",
        )
    return backends.check_name(named)


def find_backend(home: Home, named: str) -> Backend:
    """The backend of this name. Raises CommandError."""
    name = check_stored_name(named)
    backend = backends.find(home, name)
    if backend is None:
        raise make_unknown_backend_error(home, name)
    return backend
