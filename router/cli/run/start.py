"""One run: the proxy, the key, and what is said and written at the end."""

import contextlib
import os
import sys
from argparse import Namespace
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from router.cli.common.layout import note
from router.cli.common.output import collect_login_protocols
from router.cli.common.running_proxy import fetch_listed_status
from router.cli.env.target import Target
from router.cli.run.child_key import ChildKey, Grant, make_child_key
from router.cli.run.environment import VARIABLE
from router.cli.run.plan import Plan
from router.cli.run.server import Server, find_server, start_server
from router.cli.run.summary import format_summary, make_summary, write_summary
from router.errors import CommandError
from router.host.event_loop import run_async
from router.host.foreground import Ended
from router.net.control.request import ControlError
from router.settings import Settings
from router.store.config import backends
from router.store.home.home import Home


@dataclass
class Session:
    """A run whose proxy serves and whose key is valid."""

    home: Home
    server: Server
    key: ChildKey
    target: Target
    options: Namespace

    @property
    def mark(self) -> str:
        """What tells a `fairlead run` inside of the program of this one."""
        return f"{self.key.name}@{self.server.run.port}"

    def list_models(self, settings: Settings) -> list[str]:
        """The names that tools can ask for, aliases first; none where the proxy does not say."""
        try:
            status = run_async(fetch_listed_status, self.server.proxy)
        except ControlError:
            return []
        return [*dict.fromkeys([*settings.aliases, *(model.id for model in status.models)])]

    def conclude(self, plan: Plan, words: Sequence[str], ended: Ended, started: float) -> None:
        """End the key, and say what the program used. words: as the user gave them."""
        summary = make_summary(self.home, self.key, self.options, words, ended, started, plan.keeps_key)
        if self.options.summary is not None:
            try:
                write_summary(self.options.summary[1], summary)
            except CommandError as error:
                # The program's exit code stays what counts.
                note(f"error: {error}")
        if sys.stderr and sys.stderr.isatty():
            for line in format_summary(summary):
                note(line)


@contextlib.contextmanager
def run_program(home: Home, options: Namespace, words: Sequence[str]) -> Generator[Session]:
    """A proxy and a key for one program, which both end with the body. Raises CommandError."""
    parent, port = _read_mark(os.environ.get(VARIABLE, ""))
    server = find_server(home, port)
    if server is None and parent:
        raise CommandError(
            "this shell was started by a `fairlead run` whose proxy has ended.",
            f"Use another shell, or start without it:   env -u {VARIABLE} fairlead run -- …",
        )
    if server is None:
        server = start_server(home)
    key: ChildKey | None = None
    try:
        grant = Grant(name=_name_key(words[0]), parent=parent, budget_usd=options.budget, tag=options.tag or "")
        key = make_child_key(home, server, grant)
        key.renew_in_background()
        if parent:
            note(f"note: this runs inside of `fairlead run`, and spends from its budget ({parent}) too.")
        stored, _ = backends.load(home)
        target = Target(server.run.url, key.key, collect_login_protocols(stored))
        yield Session(home, server, key, target, options)
    finally:
        if key is not None:
            key.revoke()
        server.end()


def _name_key(program: str) -> str:
    """The beginning of the name of a program's key, from the program's own."""
    bare = os.path.splitext(os.path.basename(program))[0].lower()
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in bare)
    return f"run-{kept[:32].strip('-') or 'program'}"


def _read_mark(text: str) -> tuple[str, int | None]:
    """The name of the key of the run that this one is inside of, and the port of its proxy."""
    name, _, port = text.rpartition("@")
    return (name, int(port)) if name and port.isdecimal() and len(port) < 6 else ("", None)
