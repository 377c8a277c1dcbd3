"""`receipt.json` of an installation that fairlead upgrades itself: who made it, and where it is.

install.sh and install.ps1 write it into the prefix, beside `versions` and the link `current`.
"""

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
