"""The systemd unit whose main process this is: what restarts a proxy that systemd runs.

systemd (248 and newer) tells the process that it starts its own number, which those that this one starts inherit too,
and which is not theirs (systemd.exec(5), SYSTEMD_EXEC_PID). The unit's name stands in its control group.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

#: The kernel's own limit of a file's name, which a unit's is.
_NAME_LIMIT = 255
_READ_LIMIT = 65_536


class ServiceUnit(NamedTuple):
    """A unit of systemd."""

    #: As `fairlead.service`.
    name: str
    #: Of a user's manager, not of the system's.
    user: bool


def find_service_unit(
    environ: Mapping[str, str], *, known: bool = False, proc: Path = Path("/proc")
) -> ServiceUnit | None:
    """The unit that this process was started for; None where it was not, or systemd does not say. known: it was started
    for one, as the unit itself says, so that an older systemd need not."""
    pids = {os.getpid()}
    if getattr(sys, "frozen", False):
        # The loader of the single-file form is what systemd has started.
        pids.add(os.getppid())
    said = environ.get("SYSTEMD_EXEC_PID")
    if said not in {str(pid) for pid in pids} and not (known and said is None):
        return None
    try:
        with (proc / "self" / "cgroup").open(encoding="utf-8", errors="replace") as file:
            text = file.read(_READ_LIMIT)
    except OSError:
        return None
    return _read_unit(text)


def _read_unit(text: str) -> ServiceUnit | None:
    """The unit whose control group it is. systemd's hierarchy is number 0, or has its name (cgroups(7))."""
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" or controllers == "name=systemd":
            *above, name = path.split("/")
            if name.endswith(".service") and name.isprintable() and len(name) <= _NAME_LIMIT:
                user = any(part.startswith("user@") and part.endswith(".service") for part in above)
                return ServiceUnit(name, user)
    return None
