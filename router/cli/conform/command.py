"""`fairlead conform`: a card of what a backend really does, by tiny requests within a budget."""

import argparse
import math
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import trio

from router.backends import Account, Backend
from router.cli.backend.commands import find_backend
from router.cli.backend.key import open_credentials
from router.cli.common.layout import note, print_json
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser, find_nearest
from router.cli.common.probe_backend import build_outbound
from router.cli.conform.apply import apply_differences
from router.cli.conform.learned import keep_limit
from router.cli.conform.progress import Progress
from router.cli.conform.screen import format_spent, print_card, print_differences
from router.conform import card_file
from router.conform.budget import DEFAULT
from router.conform.markdown import format_markdown
from router.conform.probe import Probe
from router.conform.probes.table import GROUPS, PROBES, USUAL
from router.conform.profile_diff import merge_differences
from router.conform.record import Card
from router.conform.run import Plan, Result, make_card
from router.errors import CommandError, UsageError
from router.host.event_loop import run_async
from router.policy.routing.table import DEMO
from router.settings.kinds import clean
from router.settings.tables import BackendOptions
from router.store.home.home import Home, open_home
from router.upstream.targets import habits_of


def run(argv: list[str]) -> int:
    """Run the command; exit code 1 where nothing could be found out."""
    parser = Parser(
        "conform",
        "Find out what a backend really does: send it tiny requests, one probe after the other, and keep what they "
        "show as a card in the home. A hosted provider bills them; the run ends before the request that would pass "
        "the budget, and a card is written of what was found till then. Ctrl-C ends it without a card.",
        examples=[
            "fairlead conform groq",
            "fairlead conform groq --probes stream,roles.developer --budget 0.01",
            "fairlead conform groq --show --markdown",
        ],
    )
    parser.add_argument(
        "name", metavar="BACKEND", help="the backend, demo for the built-in one; BACKEND:MODEL names the model too"
    )
    parser.add_argument("--model", metavar="MODEL", help="the model to ask (default: one from its list)")
    parser.add_argument(
        "--probes",
        metavar="LIST",
        help="only these groups and probes, by commas; limits and server_tools.web_search cost more, and run only so",
    )
    parser.add_argument("--budget", metavar="USD", default=str(DEFAULT), help=f"at most so much (default {DEFAULT})")
    parser.add_argument("--show", action="store_true", help="send nothing: show the card that was made before")
    parser.add_argument("--apply", action="store_true", help="write what its profile lacks to config.toml")
    parser.add_argument("--markdown", action="store_true", help="print the card as Markdown, for an issue")
    parser.add_argument("--json", action="store_true", help="print the card as JSON")
    options = parser.read(argv)
    probes, budget = choose_probes(options.probes), _read_budget(options.budget)
    _check_together(options)
    home = open_home(os.environ)
    if options.show:
        card = _find_card(home, options.name, options.model)
        named = [probe.id for probe in probes] if options.probes is not None else PROBES
        rows, spent = [row for row in card.probes if row.id in named], ""
    else:
        result = run_async(_conform, home, options, probes, budget)
        card, rows, spent = result.card, result.rows, format_spent(result.card)
    if options.json:
        print_json(msgspec.to_builtins(card))
    elif options.markdown:
        print(format_markdown(card))
    else:
        print_card(card, rows, spent)
        if card.backend != DEMO:
            print_differences(card, applied=options.apply)
    if options.apply:
        apply_differences(home, card)
    return 0 if any(row.verdict != "unknown" for row in rows) else 1


def _check_together(options: argparse.Namespace) -> None:
    """Take a model out of the backend's name. Raises UsageError for what does not go together."""
    name, colon, model = options.name.partition(":")
    if colon and options.model is not None:
        raise UsageError(f"{clean(options.name)} and --model both name a model.")
    if colon:
        options.name, options.model = name, model
    if options.model is not None and not options.model.strip():
        raise UsageError(
            "the model has no name.", f"Leave it out, or name one:   fairlead conform {name} --model MODEL"
        )
    if options.json and options.markdown:
        raise UsageError("--json and --markdown cannot be used together.")
    if options.apply and (options.json or options.markdown):
        raise UsageError("--apply shows what it writes; it cannot be used with --json or --markdown.")
    if options.apply and options.name.lower() == DEMO:
        raise UsageError("the demo backend has a profile of its own, which cannot be set.")


def _find_card(home: Home, name: str, model: str | None) -> Card:
    """The card of a backend that was made before; without a model the newest. Raises CommandError."""
    named = name.lower() if name.lower() == DEMO else find_backend(home, name).name
    cards = [card for card in card_file.list_cards(home, named) if model in (None, card.model)]
    if not cards:
        of = f" with {model}" if model is not None else ""
        raise CommandError(f"there is no card of {named}{of}.", f"Make one:   fairlead conform {named}")
    card = max(cards, key=lambda card: card.date)
    if named == DEMO:
        return card
    # What was taken over since then is lacking no more.
    options = read_settings(home).backends.get(named, BackendOptions())
    profile = habits_of(find_backend(home, named), options, card.model)
    return msgspec.structs.replace(card, profile_diff=tuple(merge_differences(profile, card.profile_diff, (), ())))


def choose_probes(named: str | None) -> list[Probe]:
    """The probes that a list names, the usual ones for None. Raises UsageError."""
    if named is None:
        return list(USUAL)
    names = [name.strip().lower() for name in named.split(",") if name.strip()]
    known = [*(group.name for group in GROUPS), *PROBES]
    for name in names:
        if name not in known:
            near = find_nearest(name, known)
            groups = ", ".join(group.name for group in GROUPS)
            raise UsageError(
                f"there is no probe {name}.", f"Did you mean {near}?" if near else f"Groups of probes: {groups}."
            )
    if not names:
        raise UsageError("--probes names none.", "Such as:   --probes stream,roles.developer")
    return [probe for probe in PROBES.values() if probe.id in names or probe.group in names]


def _read_budget(text: str) -> float:
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1000:
        raise UsageError(f"--budget {text} is no amount; expected US dollars, such as 0.05.")
    return value


async def _conform(home: Home, options: argparse.Namespace, probes: list[Probe], budget: float) -> Result:
    settings = read_settings(home)
    async with _find(home, options.name) as backend:
        if backend.auth == "client":
            raise CommandError(f"only a tool has the login of {backend.name}, so that nothing can be sent to it here.")
        progress = Progress(len(probes))
        plan = Plan(
            backend,
            settings,
            open_credentials(home, settings),
            build_outbound(home, backend, settings),
            options.model or _find_model(backend),
            probes,
            budget,
            free=backend.name == DEMO,
            place=DEMO if backend.name == DEMO else "",
            find_card=partial(card_file.read_card, home, backend.name),
        )
        try:
            result = await make_card(plan, progress.note, progress.start)
        except (KeyboardInterrupt, BaseExceptionGroup) as error:
            progress.end()
            if _is_interrupt(error):
                note(progress.tell_interrupted())
            raise
        finally:
            progress.end()
        card_file.write_card(home, result.card)
        if result.overflow is not None and backend.name != DEMO:
            keep_limit(home, backend.name, result.card.model, result.overflow)
        return result


def _is_interrupt(error: BaseException) -> bool:
    """True for Ctrl-C, also within the groups that trio puts it into."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None  # pyright: ignore[reportUnknownMemberType]
    return isinstance(error, KeyboardInterrupt)


def _find_model(backend: Backend) -> str | None:
    """The model of the demo that has what can be asked for; of others one is taken from the list."""
    if backend.name != DEMO:
        return None
    from router.demo import FULL

    return FULL


@asynccontextmanager
async def _find(home: Home, name: str) -> AsyncGenerator[Backend]:
    """The backend of that name; the demo is served meanwhile. Raises CommandError."""
    if name.lower() != DEMO:
        yield find_backend(home, name)
        return
    from router.demo import PROTOCOLS, Demo

    async with trio.open_nursery() as nursery:
        root = await nursery.start(Demo().serve)
        # It takes any key but the one that the probe of keys sends.
        yield Backend(name=DEMO, root=f"{root}/v1", protocols=PROTOCOLS, accounts=(Account(DEMO, DEMO),))
        nursery.cancel_scope.cancel()
