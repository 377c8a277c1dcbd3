"""Runs one command line in a process that can be killed: python driver.py JSON.

It is killed after a step, or before a change of a file.
"""

import json
import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))

from router.cli import main
from router.cli.upgrade import command
from router.installation import detect
from router.installation.upgrade import release_keys, steps, versions

job = json.loads(sys.argv[1])
release_keys.PUBLIC_KEYS = tuple(job["keys"])
program = Path(job["program"])
command.find_copy = lambda environ: detect.Copy(program, program.parent, job["form"], environ, sys.platform)


def die_after(owner, name):
    """Let the process be killed once this function was called."""
    inner = getattr(owner, name)

    def outer(*arguments, **options):
        inner(*arguments, **options)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, outer)


def die_before_change(folder, last):
    """Let the process be killed before it changes a file below a folder for the time `last`, counted from 1."""
    changing = {"os.mkdir", "os.rename", "os.symlink", "os.remove", "os.rmdir", "os.chmod"}
    done = 0

    def hook(event, arguments):
        nonlocal done
        if event != "open" and event not in changing:
            return
        if event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        named = any(isinstance(one, (str, Path)) and str(one).startswith(folder) for one in arguments)
        # shutil.rmtree names files by the descriptor of their folder.
        if named or (event in ("os.remove", "os.rmdir") and arguments[-1] >= 0):
            done += 1
            if done == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


if job.get("change"):
    die_before_change(job["prefix"], job["change"])
elif job["step"] == "check":
    check = steps.Trial.check
    steps.Trial.check = lambda *arguments: (check(*arguments), os.kill(os.getpid(), signal.SIGKILL))
elif job["step"]:
    owner, _, name = job["step"].partition(".")
    die_after({"steps": steps, "versions": versions}[owner], name)
sys.exit(main(job["argv"]))
