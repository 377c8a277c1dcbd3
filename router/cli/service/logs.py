"""`fairlead service logs`: what the service would have printed at a terminal."""

import os
import sys
from pathlib import Path

from router.cli.common.layout import make_printable
from router.cli.common.parser import Parser
from router.cli.service.commands import Installed, require_installed
from router.errors import CommandError, UsageError
from router.service.log_file import follow, read_end
from router.store.home.permissions import shown
from router.wire.raw.whole_numbers import parse_whole

_MOST = 1_000_000


def run(argv: list[str]) -> int:
    """Print the end of the log, and with -f what comes."""
    parser = Parser(
        "service logs",
        "Show the log of the service, where the system keeps it: the journal of systemd, else a file. What one request "
        "went through:   fairlead why ID",
        examples=["fairlead service logs", "fairlead service logs -n 200 -f"],
    )
    parser.add_argument("-n", "--lines", metavar="N", default="50", help="so many of the last lines (default 50)")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is written, until Ctrl-C")
    options = parser.read(argv)
    lines = parse_whole(options.lines, 0, _MOST)
    if lines is None:
        raise UsageError(f'-n is "{options.lines}"; expected a number of lines.')
    found = require_installed()
    if found.definition.log:
        return _print_file(Path(found.definition.log), lines, going_on=options.follow)
    return _run_journal(found, lines, going_on=options.follow)


def _print_file(path: Path, lines: int, *, going_on: bool) -> int:
    texts = follow(path) if going_on else None
    last = read_end(path, lines)
    if not last and not path.exists() and not going_on:
        raise CommandError(f"there is no log yet: {shown(path)}.", "See:   fairlead service status")
    for line in last:
        print(make_printable(line))
    if texts is None:
        return 0
    sys.stdout.flush()
    for text in texts:
        print("\n".join(make_printable(line) for line in text.split("\n")), end="", flush=True)
    return 0


def _run_journal(found: Installed, lines: int, *, going_on: bool) -> int:
    words = found.manager.make_log_command(lines, follow=going_on)
    if sys.platform == "win32":
        raise AssertionError("its log is a file there")
    from router.host.child_process import make_environment
    from router.host.foreground import end_as, find_program, run_in_foreground

    environ = make_environment({**os.environ, **found.manager.variables})
    sys.stdout.flush()
    ended = run_in_foreground(find_program(words[0], environ), words, environ)
    end_as(ended)
    return ended.code
