"""`fairlead explain`: where a request would go and what would be changed in it. Nothing is sent to a model.

A running proxy is asked, so that its catalogs and settings apply. Without one, the same code runs in this process, with
the files of the home and catalogs read from the backends.
"""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

import msgspec

from router.admin.explain import explain
from router.backends import PROTOCOLS
from router.cli.common import offline
from router.cli.common.layout import find_width, note, print_json, say, wrap_row
from router.cli.common.output import format_count, note_problems, read_settings
from router.cli.common.parser import Parser
from router.cli.common.pending import note_refused
from router.cli.common.running_proxy import describe_absence, proven
from router.conform.age import format_age
from router.conform.card_file import read_card
from router.conform.record import Card, count_verdicts, format_counts
from router.errors import CommandError, UsageError
from router.exchange.body.body import LIMIT
from router.host.event_loop import run_async
from router.net.control.request import ControlError, clean
from router.operator_api.explain import CostEstimate, Explanation, Question
from router.policy.routing.clients import NAMES, make_headers
from router.policy.routing.trace import NOT_LOOKED_AT, Step
from router.settings import Settings
from router.store.config import backends
from router.store.home.home import Home, open_home
from router.watch.amounts import format_money

# Routing needs to know whether the demo exists; its address is not used.
_DEMO_ROOT = "http://127.0.0.1:3456/v1"
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*+([\t\x20-\x7e]*)")
_SHOWN = 2048


class Answer(NamedTuple):
    """An explanation and its source."""

    #: The proxy's URL; '' when it was computed here from the files.
    source: str
    found: Explanation
    #: Why no proxy was asked; '' where one was.
    absence: str = ""


def run(argv: list[str]) -> int:
    """Print the explanation; exit code 1 when the request would be refused."""
    options = _build_parser().read(argv)
    home = open_home(os.environ)
    note_refused(home)
    answer = run_async(ask, home, _read_question(options))
    if options.json:
        card = _find_card(home, answer.found)
        plain = {"proxy": answer.source or None, **msgspec.to_builtins(answer.found), "card": _summarize(card)}
        print_json(plain)
    else:
        _print(home, answer)
    return 1 if answer.found.status else 0


def _build_parser() -> Parser:
    parser = Parser(
        "explain",
        "Show where a request would go, why, and what would be changed in it; nothing is sent to a model.",
        examples=["fairlead explain opus", "fairlead explain request.json --client claude-code"],
    )
    parser.add_argument(
        "what", metavar="MODEL|FILE", help="a model's name, or a request's JSON body in a file; - reads it from stdin"
    )
    parser.add_argument("--protocol", choices=PROTOCOLS, help="the request's protocol; else told from its fields")
    parser.add_argument(
        "--client", choices=NAMES, metavar="NAME", help=f"the tool that sends the request: {', '.join(NAMES)}"
    )
    parser.add_argument(
        "--header", action="append", default=[], metavar="'NAME: VALUE'", help="a header of the request (repeatable)"
    )
    parser.add_argument("--json", action="store_true", help="print the explanation as JSON")
    return parser


def _read_question(options: argparse.Namespace) -> Question:
    headers = [_parse_header(text) for text in options.header]
    headers += make_headers(options.client) if options.client else []
    what: str = options.what
    if what == "-":
        return Question(
            body=_check_body(sys.stdin.buffer.read(LIMIT + 1), "stdin"), protocol=options.protocol, headers=headers
        )
    if what.endswith(".json") or os.path.isfile(what):
        return Question(body=_read_file(Path(what)), protocol=options.protocol, headers=headers)
    if not what.strip():
        raise UsageError("a model's name or a file is expected.", "See:   fairlead explain --help")
    return Question(model=what, protocol=options.protocol, headers=headers)


def _parse_header(text: str) -> tuple[str, str]:
    match = _HEADER.fullmatch(text)
    if match is None:
        raise UsageError(f'--header is "{clean(text)}"; expected NAME: VALUE, such as x-team: tools.')
    return match[1], match[2]


def _read_file(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return _check_body(file.read(LIMIT + 1), str(path))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from None


def _check_body(body: bytes, where: str) -> bytes:
    if not body.strip():
        raise CommandError(f"{where} is empty; expected a request's JSON body.")
    if len(body) > LIMIT:
        raise CommandError(f"{where} is over {LIMIT >> 20} MiB, which no request may be.")
    return body


async def ask(home: Home, question: Question) -> Answer:
    """The explanation of the running proxy, or of the files where none runs. Raises CommandError."""
    for run, proxy in await proven(home):
        try:
            return Answer(run.url, await proxy.explain(question))
        except ControlError as error:
            raise CommandError(f"the proxy on {run.url} did not answer as expected: {clean(str(error))}") from None
    absence = describe_absence(home, "what one would do with the files as they are.")
    return Answer("", await _explain_here(home, read_settings(home), question), absence)


async def _explain_here(home: Home, settings: Settings, question: Question) -> Explanation:
    """Explain as a proxy with these files would after it has read the catalogs."""
    _, problems = backends.load(home)
    note_problems(problems)
    async with offline.open_runtime(home, settings, _DEMO_ROOT if settings.demo else None) as runtime:
        found = explain(question, runtime.snapshot)
        for entry in runtime.catalogs.values():
            # The backend that would serve it has its problem among the rows.
            if entry.problem and not (found.problem and entry.backend.name == found.backend):
                note(f"error: {entry.backend.name}: {clean(entry.problem)}")
        return found


# Printing


def _print(home: Home, answer: Answer) -> None:
    if answer.absence:
        note(answer.absence)
    found = answer.found
    say(_clean(found.model or "(no model named)"))
    width = find_width()
    card = _find_card(home, found)
    shown = [("card", f"{format_counts(card.probes)}; {format_age(card)}")] if card is not None else []
    for title, text in [*format_rows(found), *shown]:
        print("\n".join(wrap_row(f"  {title:<9}  ", _clean(text), width)))


def _find_card(home: Home, found: Explanation) -> Card | None:
    """What `fairlead conform` found out of the backend with the model that it would get; None for nothing."""
    if not found.backend or not found.sent_model:
        return None
    try:
        return read_card(home, found.backend, found.sent_model)
    except CommandError:
        return None


def _summarize(card: Card | None) -> dict[str, object] | None:
    """Of a card what JSON tells; all of it is told by `fairlead conform`."""
    return None if card is None else {"date": card.date, "verdicts": count_verdicts(card.probes)}


def format_rows(found: Explanation) -> list[tuple[str, str]]:
    """The rows of an explanation, each with its title."""
    protocol = found.protocol + (" (assumed; --protocol names another)" if found.assumed else "")
    rows = [("protocol", protocol)]
    if forced := _select_steps(found, "forced"):
        rows.append(("forced", forced[0].text))
    if named := [*_select_steps(found, "alias"), *_select_steps(found, "shortcut")]:
        said = [step.text for step in named if step.took or step.step == "shortcut"]
        rows.append(("alias", ", then ".join(said) or "none"))
    if prefix := _select_steps(found, "prefix"):
        rows.append(("prefix", prefix[0].text))
    if vendor := _select_steps(found, "vendor"):
        rows.append(("vendor", vendor[-1].text))
    if rules := _select_steps(found, "rule"):
        rows.append(("rules", _format_rules(rules)))
    if not found.backend:
        looked = [step.text for name in ("catalog", "family", "default") for step in _select_steps(found, name)]
        return [*rows, *([("backend", "none: " + ", ".join(looked))] if looked else []), _format_refusal(found)]
    rows.append(("backend", f"{found.backend} ({found.why}), speaks {', '.join(found.speaks)}"))
    if found.problem:
        rows.append(("problem", found.problem))
    room = f"   {found.room}" if found.room else ""
    rows.append(("account", found.account + room + (f"        next: {found.next}" if found.next else "")))
    if found.notice:
        rows.append(("notice", found.notice))
    if found.limits:
        rows.append(("limits", found.limits))
    if found.fits:
        rows.append(("fits", found.fits))
    if found.status:
        return [*rows, _format_refusal(found)]
    if found.cost is not None:
        rows.append(("cost", _format_cost(found.cost)))
    if found.sent_model != found.model:
        rows.append(("model", f"sent as {found.sent_model}"))
    if found.translation:
        lost = f"; lost: {', '.join(found.losses)}" if found.losses else ""
        rows.append(("becomes", found.translation.partition("->")[2] + lost))
    if found.cache:
        rows.append(("answer", found.cache))
    if found.fallback:
        rows.append(("fallback", ", then ".join(found.fallback)))
    return [*rows, ("edits", "; ".join(found.edits) or "none")]


def _format_cost(cost: CostEstimate) -> str:
    if not cost.billed:
        return "nothing: nobody bills the tokens of this backend"
    tokens = f"{cost.tokens_in:,} tokens in"
    if cost.tokens_out is not None:
        tokens += f" and {cost.tokens_out:,} out"
    if cost.dollars is None:
        return f"not known: no price of the model is known, for {tokens}"
    output = f", and {format_money(cost.output_million)} for a million out" if cost.output_million is not None else ""
    more = output if cost.tokens_out is None else ""
    return f"about {format_money(cost.dollars)} for {tokens}{more}, without a cache (prices of {cost.source})"


def _select_steps(found: Explanation, name: str) -> list[Step]:
    return [step for step in found.steps if step.step == name]


def _format_rules(rules: list[Step]) -> str:
    looked = [step for step in rules if step.text != NOT_LOOKED_AT]
    if not looked:
        return f"{format_count(len(rules), 'rule')} not looked at: a prefix comes first"
    each = "; ".join(f'"{step.rule}" {step.text} → {"yes" if step.took else "no"}' for step in looked)
    later = len(rules) - len(looked)
    left = f"; {format_count(later, 'rule')} after it not looked at" if later else ""
    return f"{sum(step.took for step in rules)} of {len(rules)} matched: {each}{left}"


def _format_refusal(found: Explanation) -> tuple[str, str]:
    return "refused", f"{found.status}: {found.error}"


def _clean(text: str) -> str:
    return clean(text, _SHOWN)
