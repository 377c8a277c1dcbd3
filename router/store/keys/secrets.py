"""Checks keys, and reads those that are stored, in a variable or in a file. No message here shows a key."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from router.errors import CommandError
from router.settings import Secret
from router.store.home.permissions import read_secret, shown
from router.store.keys.references import looks_like_one, parse

KEY_LIMIT = 16384


def check_key(text: str, where: str = "the key") -> str:
    """The key without surrounding white space. Raises CommandError, naming `where`, for a text that cannot be a key."""
    key = text.strip().strip("\ufeff").strip()
    if not key:
        raise CommandError(f"{where} is empty.")
    if looks_like_one(key):
        raise CommandError(
            f"{where} is a reference to a key, not a key.",
            "A reference has an option of its own: --key-env, --key-file, --key-cmd, --keyring.",
        )
    if len(key) > KEY_LIMIT:
        raise CommandError(f"{where} is longer than {KEY_LIMIT} characters.")
    if "\n" in key or "\r" in key:
        raise CommandError(f"{where} has more than one line; expected the key alone.")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise CommandError(
            f"{where} has a space, a control character or one that is not ASCII; no header can carry it."
        )
    return key


def at_hand(key: str, environ: Mapping[str, str]) -> Secret | None:
    """The key when it is stored or in a variable; None when it must be fetched. Raises CommandError."""
    reference = parse(key)
    if reference is None:
        return Secret(check_key(key, "the stored key"))
    if reference.kind != "env":
        return None
    variable = reference.words[0]
    value = environ.get(variable)
    if not value:
        raise CommandError(f"${variable} is {'not set' if value is None else 'empty'}.")
    return Secret(check_key(value, f"${variable}"))


def from_file(named: str) -> Secret:
    """The key in a private file; `~` is the user's own folder. Blocks. Raises CommandError."""
    path = Path(os.path.expanduser(named))
    data = read_secret(path, KEY_LIMIT)
    if data is None:
        raise CommandError(f"the key file {shown(path)} does not exist.")
    return Secret(check_key(data.decode("utf-8", "replace"), f"the key in {shown(path)}"))
