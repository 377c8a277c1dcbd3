"""The program itself: which copy runs, what it needs of the system, the clock, and what it wrote for shells."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

from router import __version__
from router.backends.known import host_of
from router.cli.completions.command import find_file, is_ours
from router.cli.completions.scripts import SCRIPTS
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.installation.detect import Copy, detect, find_copy
from router.installation.upgrade.known_release import find_newer_release
from router.net.client.outbound import Outbound, is_loopback, read_outbound
from router.net.client.tls import name_library
from router.net.control.request import ControlError, send
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.store.home.home import Home
from router.store.home.permissions import shown

#: Other copies on PATH that are asked for their version, and for how long.
_COPIES, _VERSION_SECONDS = 6, 3.0
#: Free bytes below which a program in one file may not be able to unpack itself.
_TMP_LEAST = 100 << 20
#: Seconds by which this clock may differ from a server's.
_CLOCK_WARN, _CLOCK_FAIL = 60.0, 300.0
#: Servers that are asked for the time.
_CLOCKS = 3
#: Descriptors that a proxy needs for a few hundred streams.
_DESCRIPTORS = 1024


def check_build(situation: Situation) -> list[Row]:
    """Which copy this is, what it runs on, and the newer release that the last look for one found: none is made
    here."""
    copy = find_copy(situation.environ)
    form = {"folder": "built program", "file": "built program in one file"}.get(copy.form, "on Python")
    parts = (
        f"fairlead {__version__}",
        f"{form}, installed by {detect(copy).kind}",
        f"{platform.system().lower()} {platform.machine()}",
        f"Python {platform.python_version()}",
        name_library(),
    )
    return [Row("build", "ok", ", ".join(parts)), *_list_newer(situation.home)]


def _list_newer(home: Home | None) -> list[Row]:
    known = find_newer_release(home, __version__) if home is not None else None
    if known is None:
        return []
    seen = format_duration(max(0.0, time.time() - known.seen))
    text = (
        f"{known.version} of {clean(known.date, 20)} is there, as was seen {seen} ago; `fairlead upgrade` installs it"
    )
    return [Row("build", "info", text)]


def check_copies(situation: Situation) -> list[Row]:
    """Whether PATH has copies of other versions."""
    found: dict[str, str] = {}
    for folder in situation.environ.get("PATH", "").split(os.pathsep):
        program = shutil.which("fairlead", path=folder) if os.path.isabs(folder) else None
        if program and os.path.realpath(program) not in map(os.path.realpath, found):
            found[program] = ask_own_version(program, situation) if len(found) < _COPIES else ""
    versions = {version for version in found.values() if version}
    if len(found) < 2 or versions <= {__version__}:
        return []
    listed = ", ".join(f"{shown(Path(one))} ({version or 'version not known'})" for one, version in found.items())
    fix = "Remove those that are not wanted. Which one your shell starts: command -v fairlead"
    return [Row("build.twice", "warn", f"PATH has several fairlead: {listed}", fix)]


def ask_own_version(program: str, situation: Situation) -> str:
    """The version that a fairlead at another place says it is, "" for none."""
    try:
        done = subprocess.run(  # noqa: S603 - the user's own PATH names it
            [program, "--version"],
            capture_output=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_SECONDS,
            env=dict(situation.environ),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    name, _, version = done.stdout[:200].decode("utf-8", "replace").strip().partition(" ")
    return clean(version, 40) if name == "fairlead" else ""


def check_unpacking(situation: Situation) -> list[Row]:
    """Whether a program in one file can unpack itself, as it does at each start."""
    return judge_unpacking(find_copy(situation.environ), Path(tempfile.gettempdir()))


def judge_unpacking(copy: Copy, folder: Path) -> list[Row]:
    """The same, for a copy and a folder for temporary files."""
    if copy.form != "file" or sys.platform == "win32":
        return []
    fix = "Use another folder: export TMPDIR=/absolute/path"
    try:
        system = os.statvfs(folder)
    except OSError as error:
        return [Row("build.tmp", "fail", f"{folder} cannot be used: {error.strerror}", fix)]
    if system.f_flag & getattr(os, "ST_NOEXEC", 0):
        return [Row("build.tmp", "fail", f"{folder} is mounted noexec: the program cannot start from there", fix)]
    if system.f_bavail * system.f_frsize < _TMP_LEAST:
        free = system.f_bavail * system.f_frsize >> 20
        return [Row("build.tmp", "warn", f"{folder} has {free} MB left, and the program unpacks itself there", fix)]
    return []


async def check_clock(situation: Situation) -> list[Row]:
    """Whether this clock agrees with those of the backends: certificates, logins and limits go by it."""
    if situation.offline:
        return []
    try:
        way = read_outbound(situation.settings, situation.environ)
    except CommandError:
        return []
    roots = sorted({backend.root for backend in situation.enabled}, key=lambda root: is_loopback(host_of(root)))
    differences = [found for root in roots[:_CLOCKS] if (found := await _ask_clock(root, way)) is not None]
    if not differences:
        return []
    difference = min(differences, key=abs)
    if abs(difference) <= _CLOCK_WARN:
        return [Row("clock", "ok", "agrees with the backends'")]
    verdict = "fail" if abs(difference) > _CLOCK_FAIL else "warn"
    way_off = "ahead of" if difference > 0 else "behind"
    if sys.platform == "linux":
        fix = "Set it by the network: sudo timedatectl set-ntp true"
    else:
        fix = "Have the system set it by the network"
    text = f"this clock is {format_duration(abs(difference))} {way_off} the backends'"
    return [Row("clock", verdict, text, fix)]


async def _ask_clock(root: str, way: Outbound) -> float | None:
    """Seconds by which this clock is ahead of a server's, None where it does not say."""
    try:
        answer = await send("GET", root + "/models", {}, None, 4.0, way)
        return time.time() - parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
    except (ControlError, ValueError, TypeError, OverflowError):
        return None


def check_descriptors(situation: Situation) -> list[Row]:
    """Whether a proxy may open enough files: it takes as many as the system allows it."""
    if sys.platform == "win32":
        return []
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return judge_descriptors(None if most == resource.RLIM_INFINITY else most)


def judge_descriptors(most: int | None) -> list[Row]:
    """The same. most: the hard limit, None for none."""
    if most is None or most >= _DESCRIPTORS:
        return []
    text = f"a process may open {most:,} files here; each stream needs two"
    return [Row("fds", "warn", text, "Raise the hard limit of nofile to 4096 or more: man limits.conf")]


def check_completions(situation: Situation) -> list[Row]:
    """Whether the scripts that `completions --install` wrote are those of this version."""
    rows: list[Row] = []
    for shell, script in SCRIPTS.items():
        try:
            path = find_file(shell, situation.environ)
            text = path.read_text("utf-8", "replace")
        except (CommandError, OSError):
            continue
        if is_ours(text) and text != script:
            command = f"fairlead completions {shell} --install"
            rows.append(Row("completions", "info", f"{shown(path)} is of another version; `{command}` writes it anew"))
    return rows
