"""Backends on disk: `backends/NAME.json`, one each.

A running proxy goes on with the files it can read; `load` returns the others as problems, each with file, place and
what was expected. Unknown keys are ignored; a file of a newer schema is refused, since its meaning may differ.
"""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from router import __version__
from router.backends import PROTOCOLS, Backend
from router.backends.known import clean_url, find_risk, same_host
from router.errors import CommandError
from router.settings.kinds import display
from router.store.home.home import Home
from router.store.home.permissions import shown, word
from router.store.keys.references import parse

SCHEMA = 1
FOLDER = "backends"
RESERVED = "demo"
# Answers have these in place of an account's name.
RESERVED_ALIASES = ("client", "none")

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ALIAS = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_BYTE = re.compile(r"\(byte (\d+)\)")


class Problem(msgspec.Struct, frozen=True):
    """A backend that could not be read."""

    name: str
    #: Names the file and what is wrong.
    message: str
    #: How to fix it, '' when that is not known.
    hint: str = ""


class _Head(msgspec.Struct):
    """The fields that are read first: they say whether the rest can be read."""

    schema: int
    #: The version that wrote the file.
    fairlead: str = ""


class _Stored(Backend, frozen=True, kw_only=True):
    schema: int = SCHEMA
    fairlead: str = ""


def check_name(name: str) -> str:
    """The name in lower case. Raises CommandError when no backend can have it."""
    lowered = name.lower()
    if lowered == RESERVED:
        raise CommandError(
            f'"{RESERVED}" is the name of the built-in demo backend.',
            "Switch it off:   fairlead config set demo off\nA backend of your own needs another name.",
        )
    if not _NAME.fullmatch(lowered):
        raise CommandError(
            f"{display(name)} cannot be a backend's name; expected 1 to 64 of a-z, 0-9, - and _, a letter or digit "
            "first."
        )
    return lowered


def check_alias(alias: str) -> str:
    """The account's name in lower case. Raises CommandError when no account can have it."""
    lowered = alias.lower()
    if lowered in RESERVED_ALIASES or not _ALIAS.fullmatch(lowered):
        raise CommandError(
            f"{display(alias)} cannot be an account's name; expected 1 to 64 of a-z, 0-9, -, _ and ., a letter or "
            f"digit first, and none of {', '.join(RESERVED_ALIASES)}."
        )
    return lowered


def load(home: Home) -> tuple[tuple[Backend, ...], tuple[Problem, ...]]:
    """All backends in the order they were added, and the files that could not be read. Raises CommandError when the
    folder itself is refused."""
    found: list[Backend] = []
    problems: list[Problem] = []
    for name in home.names(FOLDER, ".json"):
        try:
            backend = find(home, name)
        except CommandError as error:
            problems.append(Problem(name, str(error), error.hint))
        else:
            if backend is not None:
                found.append(backend)
    return tuple(sorted(found, key=lambda backend: (backend.added, backend.name))), tuple(problems)


def find(home: Home, name: str) -> Backend | None:
    """The backend of that name, None when there is none. Raises CommandError for a file that cannot be read."""
    path = home.at(f"{FOLDER}/{name}.json")
    if not _NAME.fullmatch(name) or name == RESERVED:
        raise CommandError(f"{shown(path)} has a name that no backend can have.", f"Remove it:   rm {word(path)}")
    data = home.read(f"{FOLDER}/{name}.json")
    if data is None:
        return None
    stored = _decode(path, data)
    fault = _find_fault(stored, name)
    if fault:
        raise CommandError(f"{shown(path)}: {fault}.", _make_rewrite_hint(name))
    return Backend(**{field: getattr(stored, field) for field in Backend.__struct_fields__})


def save(home: Home, backend: Backend) -> None:
    """Write a backend. Call it under `home.lock()` when it was read before. Raises CommandError."""
    fields = msgspec.structs.asdict(backend)
    stored = _Stored(**fields, fairlead=__version__)
    text = msgspec.json.format(msgspec.json.encode(stored), indent=2)
    home.write(f"{FOLDER}/{backend.name}.json", text + b"\n")


def remove(home: Home, name: str) -> bool:
    """Remove a backend, readable or not; False when there is none. Raises CommandError."""
    return home.remove(f"{FOLDER}/{name}.json")


def present(home: Home, name: str) -> Backend | None:
    """The backend as stored, None when there is none or it cannot be read: for callers that replace or remove it, where
    a fault of the old file does not matter."""
    try:
        return find(home, name)
    except CommandError:
        return None


def change(home: Home, name: str, make: Callable[[Backend | None], Backend]) -> Backend:
    """Read, change and write back one backend under the home's lock, and return it. make: gets the stored backend, None
    when there is none; when it raises, nothing is changed. Raises CommandError."""
    with home.lock():
        before = find(home, name)
        after = make(before)
        if after != before:
            save(home, after)
    return after


def replace(home: Home, before: Backend | None, backend: Backend) -> None:
    """Save a backend that was made from `before`, which was read earlier. Raises CommandError when a process changed it
    meanwhile."""
    with home.lock():
        if present(home, backend.name) != before:
            raise CommandError(f"another command changed {backend.name} meanwhile.", "Give this one again.")
        save(home, backend)


def discard(home: Home, name: str) -> tuple[bool, Backend | None]:
    """Remove a backend under the home's lock; returns whether there was one, and the backend if it could be read.
    Raises CommandError."""
    with home.lock():
        before = present(home, name)
        return remove(home, name), before


def _decode(path: Path, data: bytes) -> _Stored:
    try:
        head = msgspec.json.decode(data, type=_Head)
        if head.schema > SCHEMA:
            writer = f"fairlead {head.fairlead}" if head.fairlead else "a newer fairlead"
            raise CommandError(
                f"{shown(path)} was written by {writer} (schema {head.schema}); "
                f"this is fairlead {__version__}, which reads schema {SCHEMA}."
            )
        return msgspec.json.decode(data, type=_Stored)
    except msgspec.ValidationError as error:
        raise CommandError(f"{shown(path)}: {field_text(error)}.", _make_rewrite_hint(path.stem)) from None
    except msgspec.DecodeError as error:
        raise CommandError(
            f"{shown(path)}{_format_place(error, data)}: invalid JSON.", _make_rewrite_hint(path.stem)
        ) from None
    except (RecursionError, UnicodeDecodeError):
        raise CommandError(f"{shown(path)}: invalid JSON.", _make_rewrite_hint(path.stem)) from None


def _make_rewrite_hint(name: str) -> str:
    return f"Fix the file, or remove the backend and add it again:   fairlead backend remove {name}"


def _format_place(error: msgspec.DecodeError, data: bytes) -> str:
    found = _BYTE.search(str(error))
    if found is None:
        return ""
    before = data[: int(found[1])]
    line_start = before.rfind(b"\n") + 1
    return f", line {before.count(10) + 1}, column {len(before) - line_start + 1}"


def field_text(error: msgspec.ValidationError) -> str:
    """`root: expected str, got int` from msgspec's "Expected `str`, got `int` - at `$.root`"."""
    what, _, where = str(error).replace("`", "").partition(" - at $")
    what = what[:1].lower() + what[1:]
    return f"{where.lstrip('.')}: {what}" if where else what


def _find_fault(backend: Backend, name: str) -> str:
    """What is wrong with a backend that could be decoded, '' when nothing is."""
    if backend.name != name:
        return f'name is "{backend.name}", unlike the file\'s'
    try:
        root = clean_url(backend.root)
    except ValueError as error:
        return f"root is not a valid URL: {error}"
    if root != backend.root:
        return f"root is not written as {root}"
    risk = "" if backend.insecure_http else find_risk(root)
    if risk:
        what = "http:// to a public address" if risk == "http" else "a link-local address"
        return f"root is {what}, and insecure_http is not set"
    for name, other in backend.roots.items():
        if not _is_clean(other) or not same_host(other, root):
            return f"roots.{name} is not a URL on the host of root"
    if not backend.protocols or not set(backend.protocols) <= set(PROTOCOLS):
        return f"protocols must be some of {', '.join(PROTOCOLS)}"
    return _find_account_fault(backend)


def _is_clean(root: str) -> bool:
    try:
        return clean_url(root) == root
    except ValueError:
        return False


def _find_account_fault(backend: Backend) -> str:
    aliases = [account.alias for account in backend.accounts]
    if len(set(aliases)) != len(aliases):
        return "two accounts have the same alias"
    for number, account in enumerate(backend.accounts):
        try:
            if check_alias(account.alias) != account.alias:
                return f"accounts[{number}].alias is not in lower case"
            parse(account.key)
        except CommandError as error:
            return f"accounts[{number}]: {str(error).rstrip('.')}"
    return ""
