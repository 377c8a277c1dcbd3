"""Decides whether clients must send a key, and which.

`require_key = auto` requires a key wherever another user could reach the port: off loopback, in a container, on a
machine with another login user. There a key is generated in the home when none is configured.
"""

import ipaddress
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from router.errors import CommandError
from router.settings import Secret, Settings
from router.store.home.home import CLIENT_KEY, Home

LEAST_KEY = 32

_CONTAINER_GROUPS = re.compile(r"docker|kubepods|containerd|libpod|/lxc/|garden")
_NO_LOGIN = {"nologin", "false", "true", "sync", "shutdown", "halt"}
# The first user id of people's accounts; on macOS they begin at 501.
_FIRST_PERSON = 500 if sys.platform == "darwin" else 1000
_LAST_PERSON = 65000


class Login(NamedTuple):
    """One entry of the user database, as far as it matters here."""

    uid: int
    shell: str


def is_loopback(host: str) -> bool:
    """True when a listener on this host cannot be reached from another machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check(settings: Settings) -> None:
    """Refuse to listen off loopback without a strong key. Raises CommandError with the fix."""
    if is_loopback(settings.host):
        return
    reach = f"host is {settings.host}, which other machines can reach"
    if settings.api_key is None or len(settings.api_key.reveal()) < LEAST_KEY:
        lack = "no API key is set" if settings.api_key is None else f"the API key has fewer than {LEAST_KEY} characters"
        raise CommandError(
            f"{reach}, and {lack}.",
            f"Set one, of at least {LEAST_KEY} characters:\n"
            "  openssl rand -hex 24 | fairlead config set api_key --stdin\n"
            "Or set $FAIRLEAD_API_KEY where the proxy starts.",
        )
    if settings.require_key == "off":
        raise CommandError(
            f"{reach}, and require_key is off.",
            "Require it:   fairlead config set require_key on\n"
            "Or listen on localhost only:   fairlead config set host localhost",
        )


def client_key(
    settings: Settings,
    home: Home,
    *,
    contained: Callable[[], bool] | None = None,
    shared: Callable[[], bool] | None = None,
) -> Secret | None:
    """The key clients must send, None when they need none. A configured key is always required, unless require_key is
    off. contained, shared: replace the two detections in tests. Raises CommandError."""
    if settings.require_key == "off":
        return None
    if settings.api_key is not None:
        return settings.api_key
    asked = (
        settings.require_key == "on"
        or not is_loopback(settings.host)
        or (contained or in_container)()
        or (shared or shared_machine)()
    )
    return home.token(CLIENT_KEY) if asked else None


def in_container(root: Path = Path("/"), environ: Mapping[str, str] | None = None) -> bool:
    """True when this process runs in a container, where the port may be published."""
    variables = os.environ if environ is None else environ
    if variables.get("container") or variables.get("KUBERNETES_SERVICE_HOST"):
        return True
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return True
    try:
        groups = (root / "proc/1/cgroup").read_text("utf-8", "replace")
    except OSError:
        return False
    return bool(_CONTAINER_GROUPS.search(groups))


def shared_machine() -> bool:
    """True when another user can log in on this machine, and so reach loopback."""
    if sys.platform == "win32":
        return other_profile(Path.home())
    import pwd

    return other_login((Login(entry.pw_uid, entry.pw_shell) for entry in pwd.getpwall()), os.getuid())


def other_login(logins: Iterable[Login], own_uid: int) -> bool:
    """True when a person other than `own_uid` has a login shell; an empty shell field means /bin/sh."""
    return any(
        _FIRST_PERSON <= login.uid < _LAST_PERSON
        and login.uid != own_uid
        and login.shell.rpartition("/")[2] not in _NO_LOGIN
        for login in logins
    )


def other_profile(own: Path) -> bool:
    """Windows: True when another user has logged in here once, which leaves a profile folder."""
    try:
        profiles = [entry.name.lower() for entry in own.parent.iterdir() if entry.is_dir()]
    except OSError:
        return True
    system = ("public", "all users", "wdagutilityaccount", own.name.lower())
    return any(name not in system and not name.startswith("default") for name in profiles)
