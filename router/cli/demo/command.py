"""`fairlead demo`: serve with the built-in backend, send it requests, print the answers, keep serving."""

import math
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from router import __version__
from router.backends import Backend
from router.cli.common.output import collect_login_protocols, format_table, format_tool_lines, read_settings
from router.cli.common.parser import Parser, note
from router.cli.demo.requests import Outcome, send_requests
from router.cli.proxy import make_port_taken_error
from router.errors import CommandError
from router.settings import Frozen, Settings
from router.store.config import backends
from router.store.home import client_key
from router.store.home.home import Home, open_home
from router.store.shared import captures

if TYPE_CHECKING:
    from router.server.serve import Serving
    from router.upstream.configuration import Configuration


def run(argv: list[str]) -> int:
    """Run the demo; exit code 1 when an answer was wrong."""
    parser = Parser(
        "demo",
        "Serve with a built-in backend that needs no key and no network, send one request through each protocol and\n"
        "through each translation, print the answers, and keep serving.",
        examples=["fairlead demo", "fairlead demo --once"],
    )
    parser.add_argument("--port", metavar="PORT", help="port to listen on (default 3456, else a free one)")
    parser.add_argument("--once", action="store_true", help="end after the requests: exit code 0 when all were right")
    options = parser.read(argv)
    flags = {} if options.port is None else {"port": options.port}
    home = open_home(os.environ)
    # The user's own routing rules could send the demo's requests to another backend.
    settings = replace(
        read_settings(home, flags), demo=True, model=None, fast_model=None, aliases=Frozen[str](), routes=()
    )
    client_key.check(settings)
    return trio.run(_run_demo, settings, home, options.port is not None, options.once)


async def _run_demo(settings: Settings, home: Home, chosen: bool, once: bool) -> int:
    from router.server import serve

    try:
        return await _serve(settings, home, once)
    except serve.PortTaken:
        taken = make_port_taken_error(settings.port, "demo")
        if chosen:
            raise taken from None
        note(f"note: {taken} The demo uses a free one.")
    return await _serve(replace(settings, port=0), home, once)


async def _serve(settings: Settings, home: Home, once: bool) -> int:
    from router.server import serve
    from router.upstream.configuration import read

    async with serve.running(settings, home) as serving, trio.open_nursery() as nursery:
        signals = serve.Signals()
        await nursery.start(signals.listen)
        signals.attach(serving)
        needless = "no key" if serving.key is None else "no provider's key"
        print(f"fairlead {__version__}   {serving.url}   demo backend, {needless} needed\n", flush=True)
        with _add_single_protocol_backends(serving, read(home, settings)) as prefixes:
            outcomes = await send_requests(serving.url, serving.key, prefixes)
        print("\n".join(_format_outcomes(outcomes)) + "\n", flush=True)
        if not once:
            _print_next_steps(home, serving)
            await serving.wait_until_stopped()
        nursery.cancel_scope.cancel()
    return 0 if all(outcome.ok for outcome in outcomes) else 1


@contextmanager
def _add_single_protocol_backends(serving: "Serving", configuration: "Configuration") -> Generator[Mapping[str, str]]:
    """Add the demo once more per protocol that can be translated, as a backend with this protocol only; remove them at
    the end.

    Yields protocol -> prefix of its models. The names hold a dot, which a configured backend's cannot.
    """
    from router.demo import PROTOCOLS
    from router.policy.routing.table import DEMO

    root = serving.runtime.demo_root
    if root is None:
        raise CommandError("The demo backend is off.", "Turn it on:   fairlead config set demo on")
    extra = tuple(
        Backend(name=f"{DEMO}.{name}", root=root, protocols=(name,), auth="none", added=math.inf) for name in PROTOCOLS
    )
    serving.runtime.apply(configuration._replace(backends=(*configuration.backends, *extra)))
    try:
        yield {name: f"{DEMO}.{name}:" for name in PROTOCOLS}
    finally:
        serving.runtime.apply(configuration)


def _format_outcomes(outcomes: list[Outcome]) -> list[str]:
    """One line per request, with right-aligned counts."""
    shown = [outcome for outcome in outcomes if outcome.label != "tools"]
    digits = max(len(str(outcome.events)) for outcome in shown)
    times = [f"{max(1, round(outcome.first_byte * 1000))} ms" for outcome in shown]
    wide = max(len(time) for time in times)
    rows = [
        (outcome.label, outcome.model, outcome.said, f"{outcome.events:>{digits}} events", time.rjust(wide))
        for outcome, time in zip(shown, times, strict=True)
    ]
    rows[0] = (*rows[0][:4], f"{rows[0][4]} to first byte")
    # The tools line is not aligned with the columns: it is longer than the others and has no counts.
    names = max(len(outcome.model) for outcome in outcomes)
    labels = max(len(outcome.label) for outcome in outcomes)
    lines = format_table([(row[0].ljust(labels), row[1].ljust(names), *row[2:]) for row in rows], "  ")
    rest = [f"  {o.label.ljust(labels)}   {o.model.ljust(names)}   {o.said}" for o in outcomes if o.label == "tools"]
    return [*lines, *rest]


def _print_next_steps(home: Home, serving: "Serving") -> None:
    found, _ = backends.load(home)
    print(
        "\n".join(format_tool_lines(serving.url, asks_key=serving.key is not None, own=collect_login_protocols(found)))
    )
    print("Add a real backend:   fairlead backend add anthropic --key-stdin")
    if serving.runtime.settings.history_capture:
        print(captures.capture_notice(home))
    print("\nServing. Ctrl-C stops.", flush=True)
