"""Decides whether clients must send a key, and which.

`require_key = auto` requires a key wherever another user could reach the port: off loopback, in a container, on a
machine where others can log in (`other_users`). There a key is generated in the home when none is configured.
"""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from router.errors import CommandError
from router.settings import Secret, Settings
from router.store.home.home import CLIENT_KEY, Home
from router.store.home.other_users import USER_FILES, describe_other_users

LEAST_KEY = 32

_CONTAINER_GROUPS = re.compile(r"docker|kubepods|containerd|libpod|/lxc/|garden")


def is_loopback(host: str) -> bool:
    """True when a listener on this host cannot be reached from another machine."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check(settings: Settings, *, named: bool = False) -> None:
    """Refuse to listen off loopback without a strong key. named: somebody has made client keys with names, which all
    are strong. Raises CommandError with the fix."""
    if is_loopback(settings.host):
        return
    reach = f"host is {settings.host}, which other machines can reach"
    lacks = not named if settings.api_key is None else len(settings.api_key.reveal()) < LEAST_KEY
    if lacks:
        lack = "no API key is set" if settings.api_key is None else f"the API key has fewer than {LEAST_KEY} characters"
        raise CommandError(
            f"{reach}, and {lack}.",
            f"Set one, of at least {LEAST_KEY} characters:\n"
            "  openssl rand -hex 24 | fairlead config set api_key --stdin\n"
            "Or set $FAIRLEAD_API_KEY where the proxy starts"
            + (", or make a key for each who uses it:   fairlead keys add NAME" if settings.api_key is None else "."),
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
        or (shared or has_other_users)()
    )
    return home.token(CLIENT_KEY) if asked else None


def list_watched(settings: Settings) -> tuple[str, ...]:
    """The files that tell of other users, where they decide: a user who is added later is seen."""
    asked = settings.require_key == "auto" and settings.api_key is None and is_loopback(settings.host)
    return USER_FILES if asked else ()


def has_other_users() -> bool:
    """True unless a look shows that nobody else can log in on this machine."""
    return bool(describe_other_users())


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


def explain_auto(settings: Settings) -> str:
    """Why `require_key = auto` asks for a key on loopback of a machine with other users, as a clause about the machine;
    "" where it does not, or where the key comes of something that its user did."""
    asked = settings.require_key == "auto" and settings.api_key is None and is_loopback(settings.host)
    return describe_other_users() if asked and not in_container() else ""
