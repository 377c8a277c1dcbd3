"""`fairlead __service`: the proxy as a manager starts it that passes no environment on (the Task Scheduler)."""

import os
import sys
from pathlib import Path

from router.errors import UsageError
from router.host.service.managed import ENV_VARIABLE, LOG_VARIABLE, VARIABLE

_OPTIONS = {"--home": "FAIRLEAD_HOME", "--env-file": ENV_VARIABLE, "--log": LOG_VARIABLE}


def run(argv: list[str]) -> int:
    """Serve, with the log as standard output and error."""
    given = dict(zip(argv[::2], argv[1::2], strict=False))
    if len(argv) % 2 or not set(given) <= set(_OPTIONS):
        raise UsageError("`fairlead __service` is for service managers.", "See:   fairlead service --help")
    os.environ[VARIABLE] = "tasks"
    for option, value in given.items():
        os.environ[_OPTIONS[option]] = value
    log = given.get("--log")
    if log is not None:
        from router.server.background_log import open_file

        descriptor = open_file(Path(log))
        for number in (1, 2):
            os.dup2(descriptor, number)
        os.close(descriptor)
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    from router.cli.proxy import run as serve

    return serve([])
