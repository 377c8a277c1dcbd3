"""Keys as the running proxy has them: its environment counts for requests, and not that of a command.

Without a running proxy a command judges its own environment, and says so.
"""

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from router.backends import Account, Backend
from router.cli.common.layout import note
from router.errors import CommandError
from router.operator_api.accounts import ListedAccount
from router.operator_api.backends import describe_backend
from router.settings.kinds import clean
from router.store.config import redacted, toml
from router.store.home import run_files
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeys, read_own_keys
from router.store.keys.references import describe, find_variable

_LIMIT = 400


class RunningKeys(NamedTuple):
    """What is known of the keys of one home."""

    #: What the running proxy says of each account, by backend and alias; nothing where none runs.
    accounts: Mapping[tuple[str, str], ListedAccount]
    own: OwnKeys

    def find(self, backend: Backend, account: Account) -> ListedAccount | None:
        """What the running proxy says of an account; None when it has none, or another one, of that name."""
        found = self.accounts.get((backend.name, account.alias))
        variable = find_variable(account.key)
        same = f"key from ${variable} (" if variable else describe(account.key, os.environ)
        return found if found is not None and found.credentials.startswith(same) else None

    def describe(self, backend: Backend, account: Account) -> str:
        """Where the key of an account comes from, and for a variable, where that is set."""
        found, variable = self.find(backend, account), find_variable(account.key)
        if not variable:
            return describe(account.key, os.environ)
        if found is None:
            return describe(account.key, os.environ, " in this shell")
        return clean(found.credentials, _LIMIT)

    def describe_all(self, backend: Backend) -> str:
        """How a backend's requests are authenticated."""
        return redacted.credentials(backend, lambda account: self.describe(backend, account))

    def report(self, backend: Backend, headers: Sequence[str] = ()) -> dict[str, object]:
        """A backend as commands print it in JSON. headers: names of those that config.toml sets for it."""
        fields = msgspec.to_builtins(describe_backend(backend, os.environ, headers))
        fields["credentials"] = self.describe_all(backend)
        for entry, account in zip(fields["accounts"], backend.accounts, strict=True):
            entry["credentials"] = self.describe(backend, account)
            entry["key_problem"] = self.find_problem(backend, account) or None
        return fields

    def find_problem(self, backend: Backend, account: Account) -> str:
        """Why the key of an account cannot be used, and what to do, as far as that is known without fetching it; ''
        when it may be. Without a running proxy a variable that is not set is none: it may be set where one starts."""
        found, variable = self.find(backend, account), find_variable(account.key)
        problem = found.key_problem if found is not None else redacted.problem_of(account, os.environ, self.own)
        if problem is None:
            return ""
        if variable and problem in (f"${variable} is not set.", f"${variable} is empty."):
            if found is None:
                return ""
            return f"{problem[:-1]} in the running proxy: restart it from a shell that has it."
        return f"{clean(problem, _LIMIT)} {redacted.advise_key(backend, account.alias)}."


def read_running_keys(home: Home) -> RunningKeys:
    """Ask the running proxy, if there is one. A proxy that does not answer is noted."""
    settings = None
    with contextlib.suppress(CommandError):
        settings = toml.load(home, os.environ).settings
    own = read_own_keys(home, settings)
    if not run_files.live(home):
        return RunningKeys({}, own)
    return RunningKeys(_ask_proxy(home), own)


def _ask_proxy(home: Home) -> dict[tuple[str, str], ListedAccount]:
    from router.cli.common.running_proxy import proven
    from router.host.event_loop import run_async
    from router.net.control.request import ControlError

    async def ask() -> list[ListedAccount]:
        for run, proxy in await proven(home):
            try:
                return (await proxy.fetch_accounts()).accounts
            except ControlError as error:
                note(f"note: the proxy on :{run.port} does not say how its accounts are: {error}")
        return []

    return {(account.backend, account.alias): account for account in run_async(ask)}


def note_problems_there(home: Home, backend: Backend) -> None:
    """Note which keys of a backend the running proxy cannot use though this command may, and the other way round."""
    keys = read_running_keys(home)
    for account in backend.accounts:
        found, variable = keys.find(backend, account), find_variable(account.key)
        if found is None:
            continue
        problem = keys.find_problem(backend, account)
        if problem:
            note(f"warning: {problem}")
        elif variable and not os.environ.get(variable):
            note(f"note: ${variable} is set in the running proxy.")
