"""The benchmark of packaging/reference/speed.md: `python tests/bench`, with the package and its test extra installed.

All figures come from one run: the relays take turns, and what counts is the ratio within a round.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import goals
import instructions
import load
import measures
import nginx
import programs
import pursuit
import rounds
from goals import GoalRow
from programs import Form, Site
from table import Row, markdown

AGAINST = {
    "fairlead": (programs.fairlead, partial(programs.fairlead, access_log=True)),
    "floor": (programs.twin, programs.twin),
    "none": (None, None),
}


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python tests/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, to see that it runs")
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each measure")
    parser.add_argument("--only", action="append", choices=measures.MEASURES, help="this measure (repeatable)")
    parser.add_argument("--goals", action="store_true", help="the goals alone")
    parser.add_argument("--instructions", action="store_true", help="count instructions, by valgrind, and nothing else")
    parser.add_argument(
        "--base", type=Path, metavar="TREE", help="another checkout, which takes its turns at the goals"
    )
    parser.add_argument("--program", type=Path, metavar="FOLDER", help="a built program or its folder, for the goals")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all samples there")
    parser.add_argument(
        "--against",
        choices=AGAINST,
        default="fairlead",
        help="what is held against the floor; the floor itself shows the noise of the machine",
    )
    return parser.parse_args(argv)


@contextlib.contextmanager
def _bench(arguments: argparse.Namespace) -> Iterator[rounds.Bench]:
    """The upstreams, running, and what is needed to start relays."""
    sizes = rounds.QUICK if arguments.quick else rounds.Sizes()
    if arguments.rounds:
        sizes = dataclasses.replace(sizes, rounds=arguments.rounds)
    second, with_log = AGAINST[arguments.against]
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        folder = Path(name)
        plain = Site(folder, programs.free_port())
        tls = Site(folder, programs.free_port(), programs.certificate(folder))
        with programs.upstream(plain) as direct, programs.upstream(tls):
            yield rounds.Bench(
                plain=plain,
                tls=tls,
                direct=direct,
                sizes=sizes,
                floor=programs.floor,
                merging_floor=partial(programs.floor, merge=True),
                fairlead=second,
                access_log=with_log,
            )


def _run(arguments: argparse.Namespace, rows: list[Row]) -> None:
    """Add the rows of each measure as it ends, so that a failure keeps those before it."""
    names = arguments.only or list(measures.MEASURES)
    if not programs.LINUX:
        _say("CPU and memory figures need /proc: they are skipped on this system.")
        names = [name for name in names if name not in measures.NEED_PROC]
    with _bench(arguments) as bench:
        for name in names:
            _say(f"measuring {name} …")
            found = measures.MEASURES[name](bench)
            rows += [row for row in found if programs.LINUX or "CPU" not in row.name]


def _pursue(arguments: argparse.Namespace) -> list[GoalRow]:
    """The rows of the goals."""
    if not programs.LINUX:
        _say("The goals need /proc and processes that keep to one core: they are skipped on this system.")
        return []
    if nginx.find() is None:
        _say("nginx is not installed (Debian: apt install nginx-light): its column is left out.")
    _say("measuring the goals …")
    own = Form((str(_find_program(arguments.program)),)) if arguments.program else programs.SOURCE
    base = Form(tree=arguments.base.resolve()) if arguments.base else None
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        site = Site(Path(name), programs.free_port())
        with programs.upstream(site) as direct:
            return pursuit.measure(
                pursuit.Pursuit(site=site, direct=direct, form=own, base=base, quick=arguments.quick)
            )


def _find_program(place: Path) -> Path:
    """The built program: a file, or the one of that name in a folder."""
    return (place / "fairlead" if place.is_dir() else place).resolve()


def _count(arguments: argparse.Namespace) -> int:
    """Count instructions and print them; the exit code."""
    if why := instructions.why_not():
        _say(why)
        return 1
    trees = {"before": arguments.base.resolve()} if arguments.base else {}
    trees["fairlead"] = programs.ROOT
    with tempfile.TemporaryDirectory(prefix="fairlead-bench-") as name:
        site = Site(Path(name), programs.free_port())
        with programs.upstream(site):
            counts = instructions.count(site, trees, quick=arguments.quick)
    print(instructions.markdown(counts))
    if arguments.json:
        arguments.json.write_text(json.dumps(counts, indent=1))
    return 0


def _raise_descriptor_limit() -> None:
    """A thousand streams are two thousand descriptors in a relay."""
    if programs.LINUX:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(argv: Sequence[str]) -> int:
    """Measure, print the tables, name the goals and gates that were missed."""
    arguments = _arguments(argv)
    _raise_descriptor_limit()
    if programs.CORES:
        os.sched_setaffinity(0, {programs.CORES[0]})
    if arguments.instructions:
        return _count(arguments)
    pursued: list[GoalRow] = []
    rows: list[Row] = []
    failed = False
    try:
        if not arguments.only and arguments.against == "fairlead":
            pursued = _pursue(arguments)
            print(goals.markdown(pursued), end="\n\n", flush=True)
        if not arguments.goals:
            _run(arguments, rows)
    except (programs.StartError, load.LoadError, OSError) as error:
        _say(f"{type(error).__name__}: {error}")
        failed = True
    if not arguments.goals:
        print(markdown(rows))
    for row in (*pursued, *rows):
        if row.missed:
            _say(f"missed: {row.name}")
    if arguments.json:
        about = {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}
        document = {**about, "goals": [one.document() for one in pursued], "rows": [row.document() for row in rows]}
        arguments.json.write_text(json.dumps(document, indent=1))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
