"""What a container of an example has, as far as Linux gives it to root without an engine: a network, a root of its own
with the mounts of the example, the variables of the image, its user.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
IMAGE = (ROOT / "packaging/formats/templates/Containerfile").read_text("utf-8")
#: The user of the image, and its variables; the last one is its base's.
UID = int(re.search(r"^USER (\d+):\1$", IMAGE, re.M)[1])
ROOTS = "/etc/ssl/certs/ca-certificates.crt"
ENVIRON = {
    **dict(re.findall(r"(\w+)=(\S+)", re.search(r"^ENV ((?:.*\\\n)*.*)", IMAGE, re.M)[1])),
    "SSL_CERT_FILE": ROOTS,
}
PROGRAM = "/opt/fairlead/fairlead"
#: Users, and groups of the same numbers.
USERS = {"root": 0, "nobody": 65534, "nogroup": 65534, "nonroot": UID}


class Container:
    """A running one. mounts: path there -> path here; those that end with `:ro` are only read. hosts: name ->
    address. words: its command. user: its number, 0 for root with all rights. roots: a file of those to be trusted."""

    def __init__(self, machine, folder, words, *, environ, mounts, hosts=None, roots=None, user=UID):
        self.machine = machine
        self._log = folder / "log"
        etc = folder / "etc"
        (etc / "ssl/certs").mkdir(parents=True)
        (etc / "passwd").write_text(
            "".join(f"{name}:x:{number}:{number}::/:/bin/sh\n" for name, number in USERS.items())
        )
        (etc / "group").write_text("".join(f"{name}:x:{number}:\n" for name, number in USERS.items()))
        (etc / "hosts").write_text("".join(f"{address} {name}\n" for name, address in (hosts or {}).items()))
        if roots is not None:
            shutil.copy(roots, etc / ROOTS.removeprefix("/etc/"))
        program = folder / "fairlead"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -P -W error -m router "$@"\n')
        program.chmod(0o755)
        own = {"/etc": etc, PROGRAM: f"{program}:ro", **mounts}
        limits = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"]
        limits += ["--bounding-set=-all"] if user else []
        variables = [f"{name}={value}" for name, value in {"PATH": os.defpath, **environ}.items()]
        command = ["chroot", "/mnt", *limits, "env", "-i", "-C", "/data", *variables, *words]
        script = "\n".join([*_list_mounts(own, user), f"exec {shlex.join(command)}"])
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*machine.command, "unshare", "--mount", "sh", "-ec", script],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def said(self):
        """The end of its output, and whether it still runs."""
        return f"exit code {self.process.poll()}\n{self._log.read_text(errors='replace')[-3000:]}"


def _list_mounts(own, user):
    """The lines of a script that make the root at /mnt."""
    lines = ["mount -t tmpfs -o mode=755 tmpfs /mnt", "cd /mnt", "mkdir -m 1777 tmp data", "mkdir -p run var/lib/nginx"]
    lines += ["mkdir -p var/log/nginx usr dev proc", "for d in usr dev proc; do mount --rbind /$d /mnt/$d; done"]
    lines += ["for d in bin sbin lib lib64; do ln -s usr/$d $d; done"]
    programs = {path: f"{path}:ro" for path in (str(ROOT), sys.prefix, sys.base_prefix) if not path.startswith("/usr")}
    for there, here in {**own, **programs}.items():
        path = str(here).removesuffix(":ro")
        place, parent = shlex.quote(f"/mnt{there}"), shlex.quote(f"/mnt{Path(there).parent}")
        lines += [f"mkdir -p {place}"] if Path(path).is_dir() else [f"mkdir -p {parent}", f": > {place}"]
        lines += [f"mount --bind {shlex.quote(path)} {place}"]
        lines += [f"mount -o remount,bind,ro {place}"] if path != str(here) else []
    # The root of the image is only read; nginx writes in its own.
    return [*lines, *(["mount -o remount,ro /mnt"] if user else [])]


def require_containers():
    """Skip the test where there can be none."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root of Linux makes roots and users")
    readable = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", sys.executable, "-c", "import sys"]
    done = subprocess.run(["unshare", "--mount", *readable], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"no container can be made here: {done.stderr.strip()}")
