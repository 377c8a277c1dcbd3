"""install.sh and install.ps1 as they are published: with the public keys of releases."""

import importlib
import re
from pathlib import Path

from .description import ROOT, ChannelError, write

_KEY = re.compile(r"[A-Za-z0-9+/]{40,}=*")
_KEYS_SH = "public_keys=''\n"
_KEYS_PS1 = "$PublicKeys = @()\n"


def generate(out: Path, keys: tuple[str, ...] | None = None) -> None:
    """keys: public keys of minisign; None takes those that the program has. Raises ChannelError."""
    embedded = _embedded() if keys is None else keys
    if not all(map(_KEY.fullmatch, embedded)):
        raise ChannelError("a public key is not one line of base64.", "It is the second line of minisign's key file.")
    write(out / "install.sh", _replace("install.sh", _KEYS_SH, f"public_keys='{' '.join(embedded)}'\n"))
    (out / "install.sh").chmod(0o755)
    listed = ", ".join(f"'{key}'" for key in embedded)
    write(out / "install.ps1", _replace("install.ps1", _KEYS_PS1, f"$PublicKeys = @({listed})\n"))


def _embedded() -> tuple[str, ...]:
    module = importlib.import_module("router.installation.upgrade.release_keys")
    return tuple(module.PUBLIC_KEYS)


def _replace(name: str, line: str, value: str) -> str:
    text = (ROOT / "packaging" / name).read_text("utf-8")
    if text.count(line) != 1:
        raise ChannelError(f"packaging/{name} has no line of its own: {line.strip()}", "The generator fills it in.")
    return text.replace(line, value)
