"""Runs one command line in a process that can be killed after any step: python driver.py JSON."""

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


if job["step"] == "check":
    check = steps.Trial.check
    steps.Trial.check = lambda *arguments: (check(*arguments), os.kill(os.getpid(), signal.SIGKILL))
elif job["step"]:
    owner, _, name = job["step"].partition(".")
    die_after({"steps": steps, "versions": versions}[owner], name)
sys.exit(main(job["argv"]))
