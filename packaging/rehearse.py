"""Rehearses a whole release on this machine: `python packaging/rehearse.py [--short --program DIR] [--only NAME]`.

Builds two versions, signs them with throw-away keys, publishes them on a host of its own on loopback, and plays what
users and attackers do with them. One line for each play: `ok`, `FAIL`, or `not here` with what this machine lacks; exit
code 1 when one failed. Needs what `pip install '.[build,test]'` brings; nothing leaves this machine but, on its first
run, the download of a Debian base system by debootstrap, for those plays that need a root file system.
"""

import argparse
import fnmatch
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rehearsal import attacks, installing, manifests, packages, pinning, upgrading, verifying
from rehearsal.plays import Play, about, name_of, perform
from rehearsal.stage import Rehearsal
from rehearsal.versions import default_cache

#: Plays of the short form side by side. The whole form has one after the other, as it measures streams and a drain.
SHORT_AT_ONCE = min(os.cpu_count() or 1, 4)

#: In the order they are played.
PLAYS: tuple[Play, ...] = (
    *installing.PLAYS,
    *manifests.PLAYS,
    *packages.PLAYS,
    *pinning.PLAYS,
    *verifying.PLAYS,
    *upgrading.PLAYS,
    *attacks.PLAYS,
)
#: Those of the short form: about two minutes.
SHORT: frozenset[Play] = frozenset(
    (*installing.SHORT, *manifests.SHORT, *pinning.SHORT, *verifying.SHORT, *upgrading.SHORT, *attacks.SHORT)
)


def main() -> int:
    """Rehearse; 0 when no play failed."""
    options = _parser().parse_args()
    chosen = [play for play in PLAYS if not options.short or play in SHORT]
    chosen = [play for play in chosen if not options.only or _is_named(play, options.only)]
    if options.list:
        for play in chosen:
            print(f"{name_of(play):<28} {about(play)}")
        return 0
    if not chosen:
        print(f"error: no play is named {', '.join(options.only)}; --list shows their names", file=sys.stderr)
        return 2
    if sys.platform != "linux":
        print("error: the rehearsal plays what Linux has: dpkg, chroot, processes of other users", file=sys.stderr)
        return 2
    if options.short and options.program is None:
        print("error: --short builds nothing: name a built folder by --program DIR", file=sys.stderr)
        return 2
    if options.program is not None and not (options.program / "_internal").is_dir():
        print(f"error: {options.program} is not a built folder, which holds fairlead and _internal", file=sys.stderr)
        return 2
    at_once = SHORT_AT_ONCE if options.short else 1
    return _rehearse(chosen, options.program, options.cache or default_cache(), at_once)


def _rehearse(chosen: list[Play], program: Path | None, cache: Path, at_once: int) -> int:
    scratch = Path(tempfile.mkdtemp(prefix="rehearsal-"))
    # Ordinary users read what is published, and have their homes in there.
    scratch.chmod(0o755)
    words: Counter[str] = Counter()
    # What was mounted and started is ended then too.
    signal.signal(signal.SIGTERM, _end)
    try:
        rehearsal = Rehearsal(scratch, cache, program)
        for outcome in perform(chosen, rehearsal.make_stage, at_once=at_once):
            words[outcome.word] += 1
            print(outcome.format(), flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(", ".join(f"{words[word]} {word}" for word in ("ok", "FAIL", "not here")))
    return 1 if words["FAIL"] else 0


def _end(_number: int, _frame: object) -> None:
    sys.exit(143)


def _is_named(play: Play, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name_of(play), pattern) for pattern in patterns)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Rehearse a release of fairlead on this machine.")
    parser.add_argument("--list", action="store_true", help="show the plays and what each shows, and play none")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="this play (* stands for any text)")
    parser.add_argument("--short", action="store_true", help="the plays of CI, with versions made from --program")
    parser.add_argument("--program", type=Path, metavar="DIR", help="a built folder to make the versions from")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where builds stay between rehearsals")
    return parser


if __name__ == "__main__":
    sys.exit(main())
