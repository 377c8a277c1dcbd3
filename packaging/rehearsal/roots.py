"""Root file systems for packages and containers: a Debian base by debootstrap, kept in the cache and copied for each
play, and commands that run in a copy by chroot."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

from rehearsal.installing import need
from rehearsal.plays import Failed, NotHere
from rehearsal.users import is_root

SUITE = "bookworm"
PATIENCE = 120.0
# What commands in a root see of the outside: nothing of this process.
ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8", "container": ""}


class Root:
    """A root file system that may be written."""

    def __init__(self, path: Path):
        self.path = path

    def run(self, *command: str, user: str = "0:0", **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end. user: uid:gid."""
        inside = ["chroot", f"--userspec={user}", str(self.path), *command]
        return run_plain(*inside, **{**ENVIRON, **environ})

    def said(self, *command: str, user: str = "0:0", **environ: str) -> str:
        """The output of a command that must end well."""
        done = self.run(*command, user=user, **environ)
        if done.returncode != 0:
            raise Failed(f"{' '.join(command)} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout


def run_plain(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment and nothing to read."""
    return subprocess.run(
        command,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
        check=False,
    )


@contextlib.contextmanager
def make_root(cache: Path, folder: Path) -> Generator[Root]:
    """A fresh Debian root in `folder`, with /proc, removed at the end. Raises NotHere."""
    if not is_root():
        raise NotHere("root, for debootstrap and chroot")
    base = _make_base(cache)
    path = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", base, path], check=True)
    # debootstrap leaves names to whoever starts the system.
    (path / "etc" / "hosts").write_text("127.0.0.1 localhost\n", "utf-8")
    # Nothing of a mount lasts: it ends with this, whatever a play did.
    mounted = subprocess.run(["mount", "-t", "proc", "proc", path / "proc"], capture_output=True, check=False)
    try:
        yield Root(path)
    finally:
        if mounted.returncode == 0:
            subprocess.run(["umount", path / "proc"], check=True)
        shutil.rmtree(path)


def _make_base(cache: Path) -> Path:
    """The base system; downloaded when the cache has none. Raises NotHere."""
    base = cache / SUITE
    if base.is_dir():
        return base
    need("debootstrap")
    part = cache / f"{SUITE}.part"
    shutil.rmtree(part, ignore_errors=True)
    print(f"downloading a base system of Debian {SUITE}", file=sys.stderr, flush=True)
    command = ["debootstrap", "--variant=minbase", SUITE, str(part)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise NotHere("a mirror of Debian that debootstrap can reach")
    part.rename(base)
    return base
