"""Whether other people can log in on this machine: they reach loopback as its owner does.

Rules of this file: the answer is no only where a look shows it. A directory service (SSSD, winbind, LDAP, NIS, Active
Directory) does not list its users, so that one that is configured counts as other users. A look reads a few files.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

#: The files that change when a user or a directory service is added.
USER_FILES = () if sys.platform == "win32" else ("/etc/passwd", "/etc/nsswitch.conf")

# Sources of nsswitch.conf(5) whose users are all listed, since they are of this machine. `compat` is looked into.
_LOCAL_SOURCES = {"files", "systemd", "compat", "db", "altfiles", "extrausers", "mymachines", "cache"}
_ACTION = re.compile(r"\[[^\[\]\n]*+\]")
_NO_LOGIN = {"nologin", "false", "true", "sync", "shutdown", "halt", "null"}
# The first user id of people's accounts; on macOS they begin at 501.
_DARWIN = sys.platform == "darwin"
_FIRST_PERSON = 500 if _DARWIN else 1000
# nobody, as 16 bits have it, as 32 bits have it, and "no user".
_NOBODY = {65534, 65535, 0xFFFFFFFE, 0xFFFFFFFF}
_LOCAL_NODES = {"/Local/Default", "/BSD/local", "/Contacts", "/Search"}
_DSCL_SECONDS = 5.0
_FILE_LIMIT = 1 << 20


class Login(NamedTuple):
    """One entry of the user database, as far as it matters here."""

    uid: int
    shell: str
    name: str = ""


def describe_other_users(root: Path = Path("/")) -> str:
    """Why other people may log in on this machine, as a clause; "" where a look shows that they cannot."""
    if sys.platform == "win32":
        return "it has the profile of another user" if other_profile(Path.home()) else ""
    import pwd

    entries = (Login(entry.pw_uid, entry.pw_shell, entry.pw_name) for entry in pwd.getpwall())
    other = find_other_login(entries, os.getuid())
    if other is not None:
        return f"another user can log in on it ({other.name or other.uid})"
    source = find_directory(ask_dscl()) if _DARWIN else find_directory_source(root)
    if source:
        return f"its users come from a directory service ({source})"
    own = pwd.getpwuid(os.getuid()).pw_name if _is_listed(os.getuid()) else ""
    home = find_other_managed_home(root, own)
    return f"another user can log in on it ({home})" if home else ""


def find_other_login(logins: Iterable[Login], own_uid: int) -> Login | None:
    """The first person other than `own_uid` who has a login shell; an empty shell field means /bin/sh."""
    for login in logins:
        if login.uid >= _FIRST_PERSON and login.uid not in _NOBODY and login.uid != own_uid:
            shell = login.shell.rpartition("/")[2]
            if shell not in _NO_LOGIN:
                return login
    return None


def find_directory_source(root: Path) -> str:
    """The source of users in nsswitch.conf that is not of this machine, or why none could be ruled out; "" for none."""
    try:
        with (root / "etc/nsswitch.conf").open("rb") as file:
            text = file.read(_FILE_LIMIT).decode("utf-8", "replace")
    except FileNotFoundError:
        # The C library's default is its files.
        return ""
    except OSError:
        return "nsswitch.conf cannot be read"
    for line in text.splitlines():
        name, _, sources = line.partition("#")[0].partition(":")
        if name.strip().lower() != "passwd":
            continue
        for source in _ACTION.sub(" ", sources).split():
            if source not in _LOCAL_SOURCES or (source == "compat" and _includes_others(root)):
                return f"{_show(source)} in nsswitch.conf"
    return ""


def _includes_others(root: Path) -> bool:
    """True where /etc/passwd has a line that brings in users of a directory: `+`, `+name`, `+@group`."""
    try:
        with (root / "etc/passwd").open("rb") as file:
            return any(line.startswith(b"+") for line in file.read(_FILE_LIMIT).splitlines())
    except OSError:
        return True


def find_directory(search_path: str | None) -> str:
    """The first node of macOS's search path that is not of this machine; "" for none. search_path: as `dscl /Search
    -read / CSPSearchPath` prints it, None where it could not be asked."""
    if search_path is None:
        return "dscl does not answer"
    nodes = (line.strip() for line in search_path.partition("CSPSearchPath:")[2].splitlines())
    return next((_show(node) for node in nodes if node.startswith("/") and node not in _LOCAL_NODES), "")


def ask_dscl() -> str | None:
    """What dscl says of the search path of users; None where it cannot be asked."""
    try:
        done = subprocess.run(
            ["/usr/bin/dscl", "/Search", "-read", "/", "CSPSearchPath"],
            check=True,
            capture_output=True,
            text=True,
            timeout=_DSCL_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return done.stdout


def find_other_managed_home(root: Path, own_name: str) -> str:
    """The name of a user of systemd-homed other than this one, "" for none: it lists them only while it runs."""
    try:
        names = os.listdir(root / "home")
    except OSError:
        return ""
    for entry in sorted(names):
        name, _, kind = entry.rpartition(".")
        if kind in ("home", "homedir") and name and name != own_name:
            return _show(name)
    return ""


def _is_listed(uid: int) -> bool:
    if sys.platform == "win32":
        return False
    import pwd

    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _show(text: str) -> str:
    return "".join(char for char in text[:60] if char.isprintable())


def other_profile(own: Path) -> bool:
    """Windows: True when another user has logged in here once, which leaves a profile folder."""
    try:
        profiles = [entry.name.lower() for entry in own.parent.iterdir() if entry.is_dir()]
    except OSError:
        return True
    system = ("public", "all users", "wdagutilityaccount", own.name.lower())
    return any(name not in system and not name.startswith("default") for name in profiles)
