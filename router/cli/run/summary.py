"""What a started program used: its requests, tokens, cost and errors, and what moved."""

import os
import time
from argparse import Namespace
from collections.abc import Sequence

import msgspec

from router.cli.common.layout import GAP
from router.cli.common.output import format_count
from router.cli.run.child_key import ChildKey
from router.errors import CommandError
from router.host.foreground import Ended
from router.policy.accounts.retry import format_duration
from router.policy.budget.budgets import format_dollars
from router.policy.routing.table import DEMO
from router.settings.kinds import clean
from router.store.history import reader
from router.store.history.read_requests import Move, count_refused, read_moves
from router.store.home.home import Home
from router.store.shared.key_books import KeyBook
from router.watch.amounts import format_share, format_tokens

SUMMARY_SCHEMA = 1
_START = "fairlead: "


class Summary(msgspec.Struct, kw_only=True):
    """What `--summary json FILE` writes."""

    schema: int = SUMMARY_SCHEMA
    #: The program; its arguments may hold prompts, and are left out.
    program: str
    #: The exit code of the program, and the signal that ended it, 0 for none.
    exit_code: int
    signal: int
    #: Seconds since 1970, and seconds.
    started: float
    duration_s: float
    url: str
    #: The name of its key.
    key: str
    tag: str
    budget_usd: float | None
    #: The program sends the key of its own file, so requests of it are missing here.
    keeps_key: bool = False
    #: Null where the proxy has ended before the program.
    usage: KeyBook | None
    #: Requests that the guard refused, as one whose budget was used up.
    refused: int = 0
    moves: list[Move] = []
    #: Why something is missing here.
    problems: list[str] = []


def make_summary(
    home: Home,
    key: ChildKey,
    options: Namespace,
    words: Sequence[str],
    ended: Ended,
    started: float,
    keeps_key: bool,
) -> Summary:
    """End the key of a program that has ended, and add up what it used. keeps_key: it sends another one."""
    summary = Summary(
        program=words[0],
        exit_code=ended.code,
        signal=ended.signal,
        started=started,
        duration_s=round(time.time() - started, 3),
        url=key.server.run.url,
        key=key.name,
        tag=options.tag or "",
        budget_usd=options.budget,
        keeps_key=keeps_key,
        usage=key.revoke(),
    )
    if summary.usage is None:
        summary.problems = ["the proxy does not say what it used; it may have ended before"]
        return summary
    try:
        with reader.open_reader(home) as db:
            if db is not None:
                summary.moves = read_moves(db, key.name, started)
                summary.refused = count_refused(db, key.name, started)
    except CommandError as error:
        summary.problems = [str(error)]
    return summary


def write_summary(path: str, summary: Summary) -> None:
    """Write it to a file. Raises CommandError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from None


def format_summary(summary: Summary) -> list[str]:
    """The lines for a terminal."""
    took = format_duration(summary.duration_s)
    rest = " " * len(_START)
    problems = [f"{rest}{clean(problem, 300)}" for problem in summary.problems]
    usage = summary.usage
    if usage is None:
        return [f"{_START}ended after {took}", *problems]
    if summary.keeps_key and not usage.requests:
        # Nothing is known of its requests; a count would say that there were none.
        name = clean(os.path.basename(summary.program))
        told = f"{rest}{name} sent the key of its own file; its requests:   fairlead usage --by client"
        return [f"{_START}ended after {took}", told, *problems]
    facts = [f"{format_count(usage.requests, 'request')} in {took}", *_format_amounts(usage)]
    lines = [_START + GAP.join(facts)]
    if summary.refused:
        refused = f"{format_count(summary.refused, 'request')} refused"
        budget = summary.budget_usd
        spent = budget is not None and usage.cost_usd >= budget
        why = f"the budget of {format_dollars(budget)} was used up: " if budget is not None and spent else ""
        lines.append(f"{rest}{why}{refused}{'' if why else ' by the guard'}")
    failed = usage.errors - summary.refused
    if failed > 0:
        lines.append(f"{rest}{format_count(failed, 'error')}{GAP}fairlead usage --by error")
    lines += [rest + _format_move(move) for move in summary.moves]
    if usage.unpriced and any(model.backend != DEMO for model in usage.models):
        lines.append(f"{rest}{format_count(usage.unpriced, 'request')} of models without a known price")
    return lines + problems


def _format_amounts(usage: KeyBook) -> list[str]:
    if not usage.requests:
        return []
    into = usage.tokens_in + usage.cache_read + usage.cache_write
    cached = f" ({format_share(usage.cache_read / into)} cached)" if usage.cache_read else ""
    about = "about " if usage.estimated else ""
    parts = [f"{about}in {format_tokens(into)}{cached}", f"out {format_tokens(usage.tokens_out)}"]
    if usage.cost_usd:
        parts.append(format_dollars(usage.cost_usd))
    return parts


def _format_move(move: Move) -> str:
    origin, target = _shorten(move.origin, move.target)
    return f"{move.requests:,} moved from {clean(origin)} to {clean(target)} ({clean(move.reason)})"


def _shorten(origin: str, target: str) -> tuple[str, str]:
    """Accounts of one backend without its name."""
    one, _, mine = origin.partition("/")
    other, _, theirs = target.partition("/")
    return (mine, theirs) if one == other else (origin, target)
