"""The options for the source of a key, for all commands that store one. No key is shown or logged here."""

import argparse
import contextlib
import getpass
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from router.backends import Account, Backend
from router.backends.known import find_foreign, known
from router.cli.common.layout import note
from router.cli.common.parser import Parser
from router.errors import CommandError, UsageError
from router.settings import Secret, Settings
from router.store.config import redacted, toml
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeys, read_own_keys
from router.store.keys.references import to_cloud, to_command, to_entry, to_file, to_variable
from router.store.keys.secrets import KEY_LIMIT, check_entered

if TYPE_CHECKING:
    from router.upstream.credentials import Credentials

SERVICE = "fairlead"


def add_options(parser: Parser) -> None:
    """Add the options."""
    parser.add_argument("--key-stdin", action="store_true", help="read the key from standard input")
    parser.add_argument(
        "--key-env", metavar="VAR", help="take the key from this environment variable when it is needed"
    )
    parser.add_argument("--key-file", metavar="PATH", help="take it from this file, which only you can read")
    parser.add_argument(
        "--key-cmd", metavar="CMD", help="take it from what this command prints (run without a shell, for 30 s at most)"
    )
    parser.add_argument(
        "--key-cloud",
        metavar="SOURCE",
        help="make it from a cloud's own credentials: aws:bedrock, google:adc, google:FILE, google:metadata or "
        "azure:metadata",
    )
    parser.add_argument(
        "--keyring",
        nargs="?",
        const="",
        metavar="SERVICE/USER",
        help="take it from the system's keyring; with --key-stdin it is put there (needs fairlead[keyring])",
    )
    parser.add_argument("--key", metavar="KEY", help="the key itself; other users can read it, prefer --key-stdin")


def list_given(options: argparse.Namespace) -> list[str]:
    """The key options that were used. --key-stdin beside --keyring is not counted: it gives the entry's value."""
    used = {
        "--keyring": options.keyring is not None,
        "--key-stdin": options.key_stdin and options.keyring is None,
        "--key-env": options.key_env is not None,
        "--key-file": options.key_file is not None,
        "--key-cmd": options.key_cmd is not None,
        "--key-cloud": options.key_cloud is not None,
        "--key": options.key is not None,
    }
    return [flag for flag, named in used.items() if named]


def check_alone(flags: list[str]) -> None:
    """Raise UsageError when more than one option names a source."""
    if len(flags) > 1:
        raise UsageError(f"{flags[0]} and {flags[1]} cannot be used together.")


def open_credentials(home: Home, settings: Settings | None = None) -> "Credentials":
    """The keys as this command has them, from its own environment. settings: default is those of the home. Raises
    CommandError."""
    from router.login.tokens import Logins
    from router.net.client.outbound import read_outbound
    from router.upstream.credentials import Credentials

    found = settings or toml.load(home, os.environ).settings
    way = partial(read_outbound, found, os.environ)
    return Credentials(os.environ, read_own_keys(home, found), logins=Logins(home, way), outbound=way)


def choose_key(options: argparse.Namespace, entry: str, own: OwnKeys) -> str | None:
    """The key or reference that the options name; None without such an option. entry: default name of the keyring
    entry. own: fairlead's own secrets, which are refused. Raises CommandError."""
    if options.key_env is not None:
        return to_variable(options.key_env)
    if options.key_file is not None:
        return to_file(options.key_file)
    if options.key_cmd is not None:
        return to_command(options.key_cmd)
    if options.key_cloud is not None:
        return to_cloud(options.key_cloud)
    if options.keyring is not None:
        return _use_keyring(options, options.keyring or f"{SERVICE}/{entry}", own)
    if options.key is not None:
        note("warning: other users can read a command's arguments, and the shell's history keeps them.")
        note("         Next time:   --key-stdin")
        return check(options.key, own, "the key given with --key")
    return _read_stdin(own) if options.key_stdin else None


def check(text: str, own: OwnKeys, where: str = "the key") -> str:
    """The key that a user gave. own: fairlead's own secrets, which are refused. Raises CommandError, naming `where`."""
    return own.check(Secret(check_entered(text, where)), where).reveal()


def note_foreign(backend: Backend, account: Account, keys: "Credentials") -> None:
    """Warn when the key of an account looks like one of another provider, as far as it is known without fetching it."""
    secret = None
    with contextlib.suppress(CommandError):
        secret = keys.look_up(account.key)
    found = find_foreign(backend.vendor, secret.reveal()) if secret is not None else None
    entry = known(backend.vendor)
    if found is not None and entry is not None:
        other, start = found
        note(
            f"warning: this key begins with {start} as those of {other.title} do, but {backend.name} is {entry.title}."
        )
        note(f"         {redacted.advise_key(backend, account.alias)}")


def has_terminal() -> bool:
    """True when a key can be asked for. Standard input may also be closed."""
    return sys.stdin is not None and sys.stdin.isatty()


def ask(prompt: str) -> str:
    """Read a line from the terminal without echo. Raises CommandError at end of file."""
    try:
        return getpass.getpass(prompt)
    except EOFError:
        raise CommandError("no key was given.") from None
    except KeyboardInterrupt:
        # The terminal shows no line end of its own: what is printed next would stand behind the question.
        note("")
        raise


def _read_stdin(own: OwnKeys) -> str:
    if has_terminal():
        return check(ask("Key (not shown): "), own)
    data = sys.stdin.buffer.read(KEY_LIMIT + 1) if sys.stdin is not None else b""
    return check(data.decode("utf-8", "replace"), own, "the key on standard input")


def _use_keyring(options: argparse.Namespace, named: str, own: OwnKeys) -> str:
    """The reference to a keyring entry. Writes the entry when a key is piped, or typed because it does not exist."""
    from router.store.keys import keyring

    reference = to_entry(named)
    service, _, user = named.rpartition("/")
    if options.key_stdin:
        keyring.put(service, user, Secret(_read_stdin(own)))
    elif keyring.look_up(service, user) is None:
        if not has_terminal():
            raise CommandError(
                f"the keyring has no entry {named}.", "Put the key there:   --keyring --key-stdin < key.txt"
            )
        keyring.put(service, user, Secret(check(ask(f"Key for the keyring's entry {named} (not shown): "), own)))
    return reference
