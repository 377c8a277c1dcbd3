"""Keys: what may be one, and how a reference to one is resolved.

A key is stored as itself or as `env:NAME`, read when it is needed. No message here shows a key.
"""

import re
from collections.abc import Mapping

from router.errors import CommandError
from router.settings import Secret

KEY_LIMIT = 16384

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Forms other tools use for references; taken as a literal they would be sent to a provider as a key.
_FOREIGN = re.compile(r"(file|cmd|keyring):")


def check_key(text: str, where: str = "the key") -> str:
    """The key without surrounding white space. Raises CommandError, naming `where`, when it cannot be one."""
    key = text.strip().strip("\ufeff")
    if not key:
        raise CommandError(f"{where} is empty.")
    _refuse_foreign(key, where)
    if len(key) > KEY_LIMIT:
        raise CommandError(f"{where} is longer than {KEY_LIMIT} characters.")
    if "\n" in key or "\r" in key:
        raise CommandError(f"{where} has more than one line; expected the key alone.")
    if not re.fullmatch(r"[\x21-\x7e]+", key):
        raise CommandError(
            f"{where} has a space, a control character or one that is not ASCII; no header can carry it."
        )
    return key


def check_variable(name: str) -> str:
    """The reference `env:NAME`. Raises CommandError when no variable can have that name."""
    if not _VARIABLE.fullmatch(name):
        raise CommandError(f'"{name}" is no name of an environment variable.', "Give the name alone, without $ or =.")
    return f"env:{name}"


def resolve(ref: str, environ: Mapping[str, str]) -> Secret:
    """The key a reference stands for. Raises CommandError, naming the variable that is not set."""
    variable = _variable(ref)
    if variable is None:
        return Secret(check_key(ref, "the stored key"))
    value = environ.get(variable)
    if not value:
        raise CommandError(f"${variable} is {'not set' if value is None else 'empty'}.")
    return Secret(check_key(value, f"${variable}"))


def describe(ref: str, environ: Mapping[str, str]) -> str:
    """How lists show a key: where it comes from, never what it is."""
    variable = _variable(ref)
    if variable is not None:
        return f"key from ${variable} ({'set' if environ.get(variable) else 'not set'})"
    foreign = _FOREIGN.match(ref)
    return f"key by {foreign[0]} reference, which this version cannot read" if foreign else "key stored"


def _variable(ref: str) -> str | None:
    return ref[4:] if ref.startswith("env:") else None


def _refuse_foreign(key: str, where: str) -> None:
    foreign = _FOREIGN.match(key)
    if foreign:
        raise CommandError(
            f"{where} is a {foreign[0]} reference, which this version cannot read.",
            "Give the key itself, or the name of an environment variable (--key-env).",
        )
