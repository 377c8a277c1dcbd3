"""Checks keys, and reads those that are stored, in a variable or in a file. No message here shows a key."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from router.errors import CommandError
from router.settings import Secret
from router.store.home.permissions import read_secret, shown
from router.store.keys.own_keys import OwnKeys
from router.store.keys.references import looks_like_one, parse

KEY_LIMIT = 16384

# Characters.
_ACCESS_KEY_ID = 20

_BEARER = re.compile(r"(?:authorization:\s*)?bearer\s+", re.IGNORECASE)
# A line of a shell or of an .env file. The name must say that it holds a secret: keys may have a = of their own.
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*(?:KEY|TOKEN|SECRET))\s*=", re.IGNORECASE)
# Capitals alone: a key may begin with a $.
_VARIABLE = re.compile(r"\$(?:\{([A-Z_][A-Z0-9_]*)\}|(?:env:)?([A-Z_][A-Z0-9_]*))|%([A-Z_][A-Z0-9_]*)%")
# What documentation prints in place of a key.
_PLACEHOLDER = re.compile(r"<.*>|(?>.*?(?:\.\.\.|\N{HORIZONTAL ELLIPSIS})).*|your[-_ ].*", re.IGNORECASE)


class VariableUnset(CommandError):
    """The variable that holds a key is not set in this environment, or is empty."""


def check_key(text: str, where: str = "the key") -> str:
    """The key without surrounding white space. Raises CommandError, naming `where`, for a text that cannot be a key."""
    key = text.strip().strip("\ufeff").strip()
    if not key:
        raise CommandError(f"{where} is empty.")
    if looks_like_one(key):
        raise CommandError(
            f"{where} is a reference to a key, not a key.",
            "A reference has an option of its own: --key-env, --key-file, --key-cmd, --key-cloud, --keyring.",
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


def check_entered(text: str, where: str = "the key") -> str:
    """As `check_key`, for a text that a user has just given: what is usually copied along with a key, or in its place,
    is named too. Raises CommandError."""
    key = text.strip().strip("\ufeff").strip()
    assignment, variable = _ASSIGNMENT.match(key), _VARIABLE.fullmatch(key)
    if not key:
        raise CommandError(f"{where} is empty.", "Give the key in a file:   --key-stdin < key.txt")
    if _BEARER.match(key):
        raise CommandError(f"{where} begins with Bearer.", "Leave out Bearer: give the key alone.")
    if assignment is not None:
        raise CommandError(f"{where} begins with {assignment[1]}=.", f"Leave out {assignment[1]}=: give the key alone.")
    if len(key) > 1 and key[0] in "\"'`" and key[-1] == key[0]:
        raise CommandError(f"{where} is in quotes.", "Leave out the quotes: give the key alone.")
    if variable is not None:
        name = next(name for name in variable.groups() if name)
        raise CommandError(
            f"{where} is the text {key}, not the value of that variable.",
            f"Take it from the variable:   --key-env {name}",
        )
    if _PLACEHOLDER.fullmatch(key):
        raise CommandError(f"{where} is a placeholder, not a key.", "Give the key that your provider shows you.")
    if len(key) == _ACCESS_KEY_ID and key.startswith(("AKIA", "ASIA")) and key.isalnum() and key.isupper():
        raise CommandError(
            f"{where} is an AWS access key id, which is no key for requests.",
            "Have Bedrock keys made from AWS credentials:   --key-cloud aws:bedrock",
        )
    return check_key(key, where)


def at_hand(key: str, environ: Mapping[str, str], own: OwnKeys) -> Secret | None:
    """The key when it is stored or in a variable; None when it must be fetched. own: fairlead's own secrets, which are
    refused. Raises CommandError."""
    reference = parse(key)
    if reference is None:
        return own.check(Secret(check_key(key, "the stored key")), "the stored key")
    if reference.kind != "env":
        return None
    variable = reference.words[0]
    value = environ.get(variable)
    if not value:
        raise VariableUnset(f"${variable} is {'not set' if value is None else 'empty'}.")
    return own.check(Secret(check_key(value, f"${variable}")), f"${variable}")


def from_file(named: str) -> Secret:
    """The key in a private file; `~` is the user's own folder. Blocks. Raises CommandError."""
    path = Path(os.path.expanduser(named))
    data = read_secret(path, KEY_LIMIT)
    if data is None:
        raise CommandError(f"the key file {shown(path)} does not exist.")
    return Secret(check_key(data.decode("utf-8", "replace"), f"the key in {shown(path)}"))
