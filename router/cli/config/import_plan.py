"""The plan of an import: backends, changes to config.toml and rules, with a line for each entry of the file.

Rules of this file: nothing is written before the user has seen every line; imported entries do not replace existing
ones, except settings, whose old value is shown; a key is taken only from the file that the user named.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, cast

import msgspec

from router.backends import Account, Backend
from router.backends.known import KNOWN, api_root, clean_url, find_risk, vendor_of
from router.cli.common.layout import format_table
from router.errors import CommandError
from router.settings import ConfigFile
from router.settings.keys import find_key, match_spelling, redact
from router.settings.kinds import clean
from router.store.config import backends, toml
from router.store.config.toml import Change
from router.store.home.home import Home
from router.store.keys.secrets import check_key

_ENDPOINT = re.compile(r"/(?:chat/completions|messages|responses|completions|embeddings)/?$")
#: Entries of a file: each is compared with those before it.
ENTRIES_LIMIT = 2000
_REFERENCE = re.compile(r"(?:env|file|cmd|keyring|login):")


@dataclass
class Plan:
    """What will be written, and the lines that show it."""

    home: Home
    #: config.toml as it is; None when it does not exist.
    file: ConfigFile | None
    backends: list[Backend] = field(default_factory=list[Backend])
    changes: list[Change] = field(default_factory=list[Change])
    rules: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    #: Entry of the foreign file -> what it becomes.
    imported: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    #: Entry of the foreign file -> why it is not imported.
    skipped: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    @property
    def tree(self) -> Mapping[str, Any]:
        """The content of config.toml."""
        return self.file.tree if self.file else {}

    def skip(self, what: str, why: str) -> None:
        """Note that an entry is not imported. Raises CommandError for too many entries."""
        if len(self.skipped) + len(self.imported) >= ENTRIES_LIMIT:
            raise CommandError(f"The file has over {ENTRIES_LIMIT:,} entries.", "Nothing was imported.")
        self.skipped.append((what, why))

    def take(self, what: str, said: str) -> None:
        """Note what an entry becomes. Raises CommandError for too many entries."""
        if len(self.skipped) + len(self.imported) >= ENTRIES_LIMIT:
            raise CommandError(f"The file has over {ENTRIES_LIMIT:,} entries.", "Nothing was imported.")
        self.imported.append((what, said))

    def add_setting(self, what: str, key: str, value: str) -> None:
        """Plan a setting, or an entry of a table, from its text form."""
        try:
            known = find_key(key)
            saved = known.read(value)
        except CommandError as error:
            self.skip(what, str(error))
            return
        self.add_key(what, known.path, saved)

    def add_key(self, what: str, path: tuple[str, ...], value: Any) -> None:
        """Plan a key of config.toml."""
        path = match_spelling(path, self.tree)
        before: Any = self.tree
        for key in path:
            before = cast("dict[str, Any]", before).get(key) if isinstance(before, Mapping) else None
        if any(change.path == path for change in self.changes):
            self.skip(what, f"{'.'.join(path)} comes from an earlier line")
            return
        was = "" if before is None or before == value else f"   (was {redact(path, before)})"
        self.changes.append(Change(path, value))
        self.take(what, f"{'.'.join(path)} = {redact(path, value)}{was}")

    def add_rule(self, what: str, rule: dict[str, Any]) -> None:
        """Plan a rule, after the existing ones."""
        names = [entry.get("name") for entry in (*self.tree.get("routes", ()), *self.rules)]
        if rule.get("name") in names:
            self.skip(what, f'a rule named "{rule["name"]}" exists')
            return
        self.rules.append(rule)
        shown: dict[str, Any] = redact(("routes", 0), rule)
        when = ", ".join(f"{key}={value}" for key, value in shown.get("when", {}).items())
        does = ", ".join(f"{key}={value}" for key, value in shown.items() if key not in ("name", "when"))
        self.take(what, f'rule "{rule.get("name", "")}"   {f"when {when}   " if when else ""}{does}')

    def add_backend(self, what: str, backend: Backend) -> bool:
        """Plan a backend; False when it is not allowed or its name is in use."""
        problem = _find_problem(self.home, backend)
        if problem:
            self.skip(what, problem)
            return False
        self.backends.append(backend)
        key = "key stored" if backend.accounts else "no key"
        if backend.accounts and backend.accounts[0].key.startswith("env:"):
            key = f"key from ${backend.accounts[0].key[4:]}"
        said = f"backend {backend.name}   {backend.root}   {', '.join(backend.protocols)}   {key}"
        self.take(what, said)
        return True

    def serves(self, backend: Backend) -> bool:
        """True when a backend of that name and root exists or is planned."""
        try:
            present = backends.find(self.home, backend.name)
        except CommandError:
            return False
        return any(present_root == backend.root for present_root in self._list_roots(backend.name, present))

    def _list_roots(self, name: str, present: Backend | None) -> list[str]:
        return [other.root for other in (*self.backends, *([present] if present else [])) if other.name == name]

    def add_account(self, what: str, name: str, key: str) -> None:
        """Plan one more key for a planned backend."""
        index = next((index for index, backend in enumerate(self.backends) if backend.name == name), None)
        if index is None:
            self.skip(what, f"its key is not added to {name}, which stays as it is")
            return
        backend = self.backends[index]
        alias = f"key{len(backend.accounts) + 1}"
        accounts = (*backend.accounts, Account(alias, key))
        self.backends[index] = msgspec.structs.replace(backend, accounts=accounts)
        self.take(what, f"account {alias} of backend {name}")

    def format_lines(self, width: int | None) -> list[str]:
        """The lines that are shown to the user. width: as in format_table."""
        found: list[str] = []
        for title, rows in (("Imported:", self.imported), ("Left out:", self.skipped)):
            if rows:
                table = [(clean(what), clean(said, 400)) for what, said in rows]
                found += [title, *format_table(table, "  ", width=width)]
        return found

    def apply(self) -> None:
        """Write the plan. Raises CommandError; nothing is written when the resulting settings are invalid."""
        import_module("tomlkit")  # before the lock is taken: other commands wait for it
        with self.home.lock():
            before = toml.before(self.home)
            text = toml.changed(before, self._all_changes(), toml.NAME) if self.changes or self.rules else None
            if text is not None:
                toml.check(self.home, text)
            for backend in self.backends:
                if backends.find(self.home, backend.name) is None:
                    backends.save(self.home, msgspec.structs.replace(backend, added=time.time()))
            if text is not None:
                toml.write(self.home, text)

    def check(self) -> None:
        """Raise CommandError when the settings would be invalid with these changes."""
        toml.check(self.home, toml.changed(toml.before(self.home), self._all_changes(), toml.NAME))

    def _all_changes(self) -> Sequence[Change]:
        if not self.rules:
            return self.changes
        return [*self.changes, Change(("routes",), [*self.tree.get("routes", ()), *self.rules])]


def _find_problem(home: Home, backend: Backend) -> str:
    risk = find_risk(backend.root)
    if risk == "http":
        return "http:// to a public address shows keys and texts to everyone on the way; add it with --insecure-http"
    if risk:
        return "clouds give out a machine's own credentials at link-local addresses; add it with --insecure-http"
    try:
        exists = backends.find(home, backend.name) is not None
    except CommandError:
        exists = True
    return f"a backend {backend.name} exists; it stays as it is" if exists else ""


def parse_reference(text: str, variable: re.Pattern[str]) -> str:
    """The key as a backend stores it: `env:NAME` where `variable` matches, else the literal. Raises CommandError."""
    found = variable.fullmatch(text.strip())
    if found:
        return f"env:{next(group for group in found.groups() if group)}"
    if _REFERENCE.match(text.strip()):
        # A foreign file must not make fairlead run a command or read a file.
        raise CommandError("the key looks like a reference of fairlead's own")
    return check_key(text, "the key")


def make_backend_name(text: str) -> str:
    """A backend's name made from any text. Raises CommandError when no valid character is left."""
    return backends.check_name(re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:64])


def assemble_backend(name: str, url: str, accounts: tuple[Account, ...], *, exact: bool, program: str = "") -> Backend:
    """A backend from a foreign file's URL, which may end in an endpoint's path. exact: add no /v1 to the URL. program:
    the known program that runs there, for a URL that is not its usual one. Raises CommandError."""
    endpoint = _ENDPOINT.search(url.strip())
    try:
        bare = clean_url(_ENDPOINT.sub("", url.strip()))
        root = bare if exact else api_root(bare)
        root = api_root(bare) if vendor_of(api_root(bare)) else root
    except ValueError as error:
        # The URL is not shown: it may hold a key.
        raise CommandError(f"its URL cannot be used: {error}") from None
    known = KNOWN.get(vendor_of(root) or program)
    protocols = known.protocols if known else (_protocol_at(endpoint[0] if endpoint else ""),)
    if known is not None and not known.needs_key:
        accounts = ()
    return Backend(
        name=name,
        root=root,
        protocols=protocols,
        vendor=known.name if known else "",
        auth="key" if accounts else "none",
        accounts=accounts,
    )


def _protocol_at(endpoint: str) -> str:
    """The protocol of an endpoint's path behind its root; the one assumed where nothing tells for any other."""
    from router.wire import calls, protocols

    return calls.call(f"/v1{endpoint}").protocol or protocols.DEFAULT.name
