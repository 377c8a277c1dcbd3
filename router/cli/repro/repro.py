"""`fairlead repro ID`: a file that shows what happened to a request, without its content."""

import os
import sys
from pathlib import Path

import msgspec

from router.cli.common.layout import find_width, note, print_json, say, wrap_row
from router.cli.common.output import format_count
from router.cli.common.parser import Parser
from router.cli.repro.markdown import write_repro
from router.cli.repro.next_request import wait_next
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.policy.routing.clients import NAMES
from router.replay.run import check, expected
from router.repro.make import Refused, TooDeep, make_repro
from router.settings.kinds import clean
from router.store.captures.armed import ANY
from router.store.captures.find import find_capture
from router.store.captures.folder import BODY_LIMIT
from router.store.captures.format import Capture, ReproLine, encode
from router.store.home.home import open_home
from router.store.home.permissions import shown, word

REPRO_SCHEMA = 1
_KEPT = "kept: "


def run(argv: list[str]) -> int:
    """Write the repro; exit code 1 when it does not show what happened."""
    options = _build_parser().read(argv)
    home = open_home(os.environ)
    if options.markdown and (options.json or options.output == "-"):
        raise UsageError("--markdown prints a text, so that it takes neither --json nor `-o -`.")
    if (options.id is None) == (options.next is None):
        raise UsageError("a captured request, or --next, is expected.", "See:   fairlead repro --help")
    path, capture = find_capture(home, options.id) if options.next is None else run_async(wait_next, home, options.next)
    try:
        made = make_repro(capture, options.bodies)
    except Refused as error:
        raise CommandError(
            f"no repro was made: {error}.", "Nothing was written. A smaller one:   fairlead repro ID --bodies none"
        ) from None
    except TooDeep:
        raise CommandError("no repro was made: its JSON is nested too deep.") from None
    reproduces = "not run: --no-check" if options.no_check else run_async(check, made)
    repro = made.repro or ReproLine()
    made.repro = repro = msgspec.structs.replace(repro, reproduces=reproduces)
    target = options.output or f"{path.name.partition('.')[0]}.repro.jsonl"
    data = encode(made)
    text = write_repro(capture, made, data) if options.markdown else ""
    size = _write(target, data)
    if target == "-":
        return 0 if reproduces == "yes" else 1
    if options.json:
        shape = {"schema": REPRO_SCHEMA, "file": target, "bytes": size, "bodies": options.bodies}
        print_json({**shape, "removed": repro.removed, "cut": made.list_cut(), "reproduces": reproduces})
    elif text:
        say(text.rstrip("\n"))
        note(f"The repro itself is in {shown(Path(target))}.")
    else:
        _print(capture, made, repro, target, size)
    return 0 if reproduces == "yes" or options.no_check else 1


def _build_parser() -> Parser:
    parser = Parser(
        "repro",
        "Make a file of a captured request that shows what happened to it, to send to others: with the form of all "
        "bodies, and without their content, names, keys and addresses. It is run once, to see whether it ends the same "
        "way. history.capture must have been on, or --next captures one request.",
        examples=["fairlead repro -", "fairlead repro --next claude-code", "fairlead repro d201 -o bug/cut.jsonl"],
    )
    parser.add_argument(
        "id", metavar="ID|FILE", nargs="?", help="the request's id, its beginning or its end; - is the latest"
    )
    parser.add_argument(
        "--next",
        choices=(*NAMES, ANY),
        metavar="CLIENT",
        help=f"capture the next request of this tool ({', '.join(NAMES)}, or any), though history.capture is off",
    )
    parser.add_argument(
        "--bodies",
        choices=("none", "shape", "full"),
        default="shape",
        help="shape: their form (default); none: no bodies; full: all that they hold, which others can then read",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="where to write it; - is stdout")
    parser.add_argument("--no-check", action="store_true", help="do not run it")
    parser.add_argument("--markdown", action="store_true", help="print a text to paste into an issue")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    return parser


def _write(target: str, data: bytes) -> int:
    if target == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return len(data)
    path = Path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
    except OSError as error:
        raise CommandError(f"{shown(path)} cannot be written: {error.strerror or error}.") from None
    return len(data)


def _explain_cut(capture: Capture) -> str:
    """How much is captured of a body, and how to get more. capture: with its bodies as they came."""
    sizes = [len(body.text.encode("utf-8", "replace")) for body in capture.list_bodies() if body.cut]
    if max(sizes, default=0) > BODY_LIMIT:
        return "the first MiB of each is captured, which is the most that is"
    client = capture.meta.client if capture.meta.client in NAMES else ANY
    return (
        f"the first {BODY_LIMIT >> 10} KiB of each are captured. "
        f"To capture up to 1 MiB of the next request:   fairlead repro --next {client}"
    )


def _print(capture: Capture, made: Capture, repro: ReproLine, target: str, size: int) -> None:
    decision = made.meta.decision
    what = decision.translation.replace("->", " -> ") if decision and decision.translation else made.meta.protocol
    say("   ".join(part for part in (shown(Path(target)), f"{size:,} bytes", what) if part))
    removed = [f"{count:,} {kind}" for kind, count in repro.removed.items() if count and not kind.startswith(_KEPT)]
    kept = [kind.removeprefix(_KEPT) for kind in repro.removed if kind.startswith(_KEPT)]
    rows = [
        ("ended", expected(made).format()),
        ("exchanges", format_count(len(made.exchanges), "exchange") + " with upstreams"),
        ("replaced", ", ".join(removed) or "nothing"),
    ]
    if kept:
        rows.append(("kept", f"the field names {', '.join(kept)}, which no protocol is known to have"))
    if cut := made.list_cut():
        rows.append(("cut", f"{', '.join(cut)}: {_explain_cut(capture)}"))
    rows.append(("reproduces", repro.reproduces))
    parent = Path(target).parent
    rows.append(("run it", f"fairlead demo --replay {word(parent)}"))
    width = find_width()
    for title, text in rows:
        print("\n".join(wrap_row(f"  {title:<10}  ", clean(text, 2048), width)))
    if repro.bodies == "full":
        note("note: it holds all that was said. Read it before you send it to others.")
