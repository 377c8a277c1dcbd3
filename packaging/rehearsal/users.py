"""An ordinary user of this machine: a home of its own, a plain environment, and commands that run as that user."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

#: nobody's number on every system that has one: who commands run as when the rehearsal runs as root.
NOBODY = 65534
PATIENCE = 120.0


def is_root() -> bool:
    """Whether this process may change its user, mount and chroot."""
    if sys.platform == "win32":
        return False
    return os.geteuid() == 0


class User:
    """Runs commands in an empty home below `folder`. environ: what they have besides HOME and PATH."""

    def __init__(self, folder: Path, environ: dict[str, str], *, home: str = "home"):
        self.home = folder / home
        self.home.mkdir()
        self.own(self.home)
        self.bin = self.home / ".local" / "bin"
        self.environ = {
            # Of the machine only what every system has: another fairlead, gh or cosign on PATH would change the play.
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "FAIRLEAD_REQUIRE_KEY": "off",
            **environ,
        }

    @property
    def prefix(self) -> Path:
        """Where install.sh puts versions."""
        return self.home / ".local" / "share" / "fairlead"

    @property
    def program(self) -> Path:
        """The link that the user's shell finds."""
        return self.bin / "fairlead"

    def own(self, path: Path) -> None:
        """Make a file or folder the user's."""
        if is_root():
            shutil.chown(path, NOBODY, NOBODY)

    def run(
        self, *command: str | Path, stdin: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        with open(stdin or os.devnull, "rb") as source:
            return subprocess.run(
                [str(part) for part in command],
                stdin=source,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=PATIENCE,
                env={**self.environ, **(environ or {})},
                cwd=self.home,
                check=False,
                user=NOBODY if is_root() else None,
                group=NOBODY if is_root() else None,
                extra_groups=[] if is_root() else None,
            )

    def start(self, *command: str | Path) -> "subprocess.Popen[bytes]":
        """Start a command that goes on; nothing of its output is kept."""
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environ,
            cwd=self.home,
            user=NOBODY if is_root() else None,
            group=NOBODY if is_root() else None,
            extra_groups=[] if is_root() else None,
        )

    def fairlead(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the installed fairlead."""
        return self.run(self.program, *arguments, environ=environ)

    def version(self) -> str:
        """What `fairlead --version` prints, or how it failed."""
        done = self.fairlead("--version")
        return done.stdout.strip() if done.returncode == 0 else f"exit {done.returncode}: {done.stderr.strip()}"
