"""Makes, changes and ends client keys: the table `[keys.NAME]` of config.toml, and the secret's file beside it.

Rules of this file: the table is written first: a crash between the two leaves limits that no key has, never a key
without its limits. A key of another home of the team that is changed here has this home from then on: it gets the table
and the file that it had there, and a version by which its former home gives it up.
"""

import os
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

import msgspec

from router.errors import CommandError
from router.settings import Secret
from router.settings.kinds import DAYS, InvalidValue, clean, display
from router.settings.tables import KEY_OPTIONS, KeyOptions
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home.home import Home
from router.store.keys import client_keys as secrets
from router.store.keys import shared_copy
from router.store.keys.shared_copy import SharedCopy

_KINDS = {entry.key: entry.kind for entry in KEY_OPTIONS}
Judge = Callable[[str, str], None]


def read_options(given: Mapping[str, object], today: date | None = None) -> dict[str, Any]:
    """The values to write to config.toml, by the dotted keys of `[keys.NAME]`; None for a limit that is taken away.

    given: texts, or values as config.toml has them; '' takes a limit away. today: what `expires = 30d` counts from.
    Raises CommandError.
    """
    found: dict[str, Any] = {}
    for key, value in given.items():
        if value in ("", None):
            found[key] = None
            continue
        kind = _KINDS.get(key)
        if kind is None:
            raise CommandError(f"{clean(key)} is not known of a key; expected one of {', '.join(_KINDS)}.")
        if key == "expires":
            value = _find_day(value, today or date.today())
        try:
            read = kind.parse_text(value) if isinstance(value, str) else kind.parse_value(value)
            if read == ():
                raise InvalidValue(kind.expected)
            value = kind.to_toml(value) if isinstance(value, str) else value
        except InvalidValue as wrong:
            expected = f"{wrong.text}, or a time from now such as 30d" if key == "expires" else wrong.text
            raise CommandError(f"{key} is {display(value)}; expected {expected}.") from None
        found[key] = value
    return found


def _find_day(value: object, today: date) -> object:
    """The day, where it is given as a number of days."""
    if not isinstance(value, str):
        return value
    try:
        return (today + timedelta(days=DAYS.parse_text(value))).isoformat()
    except InvalidValue:
        return value


def add(home: Home, name: str, options: Mapping[str, Any], judge: Judge | None = None) -> Secret:
    """Make a key with these options. Raises CommandError when there is one of that name."""
    name = secrets.check_name(name)
    secrets.check_free(home, name)
    if name in read_team(home).list_elsewhere():
        raise CommandError(
            f"another home of the team has a key {name} already.",
            f"Change it from here:   fairlead keys set {name} --models …\nOr choose another name.",
        )
    _write(home, name, options, judge)
    return secrets.add_key(home, name)


def change(home: Home, name: str, options: Mapping[str, Any], judge: Judge | None = None) -> None:
    """Change what a key may use, be it of this home or of another of the team. Raises CommandError when there is none
    of that name."""
    _own(home, secrets.check_name(name), options, judge)


def rotate(home: Home, name: str, grace: float, judge: Judge | None = None) -> Secret:
    """Replace the secret of a key, as `change`. grace: seconds for which the old one stays valid. Raises
    CommandError."""
    name = secrets.check_name(name)
    _own(home, name, {}, judge)
    return secrets.rotate_key(home, name, grace)


def revoke(home: Home, name: str, judge: Judge | None = None) -> None:
    """End a key, and take its table out of config.toml. Raises CommandError when there is neither."""
    name = secrets.check_name(name)
    gone = secrets.revoke_key(home, name)
    if not gone and read_team(home).find_row(name) is not None:
        shared_copy.mark_revoked(home, name)
        gone = True
    file = toml.read(home)
    if file is not None and name in file.tree.get("keys", {}):
        toml.change(home, [Change(("keys", name), None)], judge)
    elif not gone:
        secrets.require_key(home, name)


def read_team(home: Home) -> SharedCopy:
    """What a home knows of the keys of its team, as its settings are now. Blocks. Raises CommandError."""
    return shared_copy.read_team(home, toml.load(home, os.environ).settings)


def _own(home: Home, name: str, options: Mapping[str, Any], judge: Judge | None) -> None:
    """Write options of a key, and have it be this home's. Raises CommandError when there is none of that name."""
    present, team = secrets.read_key(home, name), read_team(home)
    row = team.find_row(name)
    if row is None or (present is not None and present.identity != row.identity):
        secrets.require_key(home, name)
        _write(home, name, options, judge)
        return
    follows = row.stored
    if present is not None and name not in team.list_elsewhere():
        # It is this home's, which may have a change of it that the others do not know yet.
        follows = msgspec.structs.replace(present, version=max(present.version, follows.version))
        _write(home, name, options, judge)
    else:
        _write(home, name, {**_list_values(row.options), **options}, judge)
    secrets.put_key(home, name, follows)


def _list_values(options: KeyOptions) -> dict[str, Any]:
    """Options as config.toml has them, None for those that are not set."""
    default, found = KeyOptions(), dict[str, Any]()
    for entry in KEY_OPTIONS:
        value: tuple[str, ...] | str | float | None = getattr(options, entry.attribute)
        kept = list(value) if isinstance(value, tuple) else value
        found[entry.key] = None if value == getattr(default, entry.attribute) else kept
    return found


def _write(home: Home, name: str, options: Mapping[str, Any], judge: Judge | None) -> None:
    """Write what differs from the table that is there: the configuration may be only read."""
    settings = None if toml.read(home) is None else toml.load(home, {}).settings
    present = _list_values(KeyOptions() if settings is None else settings.keys.get(name, KeyOptions()))
    changes = [
        Change(("keys", name, *key.split(".")), value) for key, value in options.items() if value != present[key]
    ]
    if changes:
        toml.change(home, changes, judge)
