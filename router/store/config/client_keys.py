"""Makes, changes and ends client keys: the table `[keys.NAME]` of config.toml, and the secret's file beside it.

The table is written first: a crash between the two leaves limits that no key has, never a key without its limits.
"""

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from router.errors import CommandError
from router.settings import Secret
from router.settings.kinds import DAYS, InvalidValue, clean, display
from router.settings.tables import KEY_OPTIONS
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home.home import Home
from router.store.keys import client_keys as secrets

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
    _write(home, name, options, judge)
    return secrets.add_key(home, name)


def change(home: Home, name: str, options: Mapping[str, Any], judge: Judge | None = None) -> None:
    """Change what a key may use. Raises CommandError when there is none of that name."""
    secrets.require_key(home, name)
    _write(home, secrets.check_name(name), options, judge)


def revoke(home: Home, name: str, judge: Judge | None = None) -> None:
    """End a key, and take its table out of config.toml. Raises CommandError when there is neither."""
    name = secrets.check_name(name)
    gone = secrets.revoke_key(home, name)
    file = toml.read(home)
    if file is not None and name in file.tree.get("keys", {}):
        toml.change(home, [Change(("keys", name), None)], judge)
    elif not gone and not secrets.mark_revoked(home, name):
        secrets.require_key(home, name)


def _write(home: Home, name: str, options: Mapping[str, Any], judge: Judge | None) -> None:
    changes = [Change(("keys", name, *key.split(".")), value) for key, value in options.items()]
    if changes:
        toml.change(home, changes, judge)
