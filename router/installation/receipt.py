"""`receipt.json` of an installation that fairlead upgrades itself: who made it, and where it is.

install.sh, install.ps1 and `fairlead upgrade` write it into the prefix, beside `versions` and the link `current`.
"""

import contextlib
import os
from pathlib import Path

import msgspec

SCHEMA = 1
NAME = "receipt.json"


class Receipt(msgspec.Struct, kw_only=True, frozen=True):
    """One installation below a prefix."""

    schema: int = SCHEMA
    #: `install.sh`, `install.ps1` or `upgrade`.
    installer: str = "upgrade"
    #: `folder` or `file`.
    form: str = "folder"
    #: Where the files are, an absolute path.
    prefix: str
    channel: str = "stable"
    #: What is on PATH: a link to PREFIX/current/fairlead, for the form `file` the program itself.
    link: str = ""


def read_receipt(prefix: Path) -> Receipt | None:
    """The receipt of a prefix; None when there is none, or none that this version can read."""
    try:
        receipt = msgspec.json.decode((prefix / NAME).read_bytes(), type=Receipt)
    except (OSError, msgspec.DecodeError, RecursionError):
        return None
    return receipt if receipt.schema == SCHEMA else None


def write_receipt(receipt: Receipt) -> None:
    """Write it whole or not at all. Raises OSError."""
    prefix = Path(receipt.prefix)
    temporary = prefix / f".{NAME}.{os.getpid()}"
    try:
        with temporary.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(receipt), indent=1) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(prefix / NAME)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
