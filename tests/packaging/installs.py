"""A user who runs install.sh, and what must be left of it."""

import shutil
import subprocess
from pathlib import Path

from .fake_release import ROOT, ReleaseHost

SCRIPT = ROOT / "packaging" / "install.sh"
#: What install.sh runs.
TOOLS = (
    "sh", "cat", "sed", "grep", "tr", "head", "tail", "sort", "date", "uname", "mkdir", "mktemp", "rm", "rmdir",
    "mv", "ln", "cp", "chmod", "ls", "readlink", "wc", "tar", "xz", "unxz", "sha256sum", "getconf", "ldd", "curl",
    "wget",
)  # fmt: skip


class User:
    """A user with a home of their own, whose name is hard to quote."""

    def __init__(self, folder: Path, host: ReleaseHost) -> None:
        self.home = folder / "a user's $HOME"
        self.temporary = folder / "tmp"
        self.tools = folder / "tools"
        for made in (self.home, self.temporary, self.tools):
            made.mkdir()
        path = f"{self.tools}:/usr/local/bin:/usr/bin:/bin"
        self.environ = {"HOME": str(self.home), "PATH": path, "TMPDIR": str(self.temporary)}
        self.environ["FAIRLEAD_RELEASES_URL"] = host.url
        self.prefix = self.home / ".local/share/fairlead"
        self.program = self.home / ".local/bin/fairlead"
        self.script = SCRIPT

    def add_tool(self, name: str, text: str) -> None:
        (self.tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.tools / name).chmod(0o755)

    def install(self, *options: str, shell: tuple[str, ...] | list[str] = ("sh",), **environ: str):
        with self.script.open("rb") as script:
            return subprocess.run(
                [*shell, "-s", "--", *options] if shell != ["busybox", "sh"] else [*shell, str(self.script), *options],
                stdin=script,
                env=self.environ | environ,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

    def version(self) -> str:
        return subprocess.run([self.program, "--version"], capture_output=True, text=True, check=True).stdout.strip()

    def files(self) -> set[str]:
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*") if not path.is_dir()}

    def left_over(self) -> list[str]:
        """Names of what an installation must not leave."""
        return [path.name for path in self.temporary.iterdir()] + [
            path.name
            for folder in (self.prefix, self.prefix / "versions", self.program.parent)
            for path in (folder.iterdir() if folder.is_dir() else ())
            if path.name.startswith(".")
        ]


def farm(user: User, *without: str) -> str:
    """A PATH with the tools that the script uses, but these."""
    folder = user.tools / "few"
    folder.mkdir()
    for name in [
        "sh",
        "cat",
        "sed",
        "grep",
        "tr",
        "head",
        "tail",
        "sort",
        "date",
        "uname",
        "mkdir",
        "mktemp",
        "rm",
        "rmdir",
        "mv",
        "ln",
        "cp",
        "chmod",
        "ls",
        "readlink",
        "wc",
        "tar",
        "xz",
        "unxz",
        "sha256sum",
        "getconf",
        "ldd",
        "curl",
        "wget",
    ]:
        found = shutil.which(name)
        if found and name not in without:
            (folder / name).symlink_to(found)
    return str(folder)
