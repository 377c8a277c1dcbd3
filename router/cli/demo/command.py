"""`fairlead demo`: serve with the built-in backend, send it requests, print the answers, keep serving."""

import math
import os
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from router.backends import Backend
from router.cli.common.layout import find_width, note
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser
from router.cli.common.port_owner import find_port_owner
from router.cli.demo import screen
from router.cli.demo.requests import send_requests
from router.cli.proxy import make_port_taken_error
from router.cli.repro.play import play
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.loopback import list_literal_urls
from router.policy.routing.table import DEMO
from router.settings import Frozen, Settings
from router.store.captures import folder as captures
from router.store.home import client_key, run_files
from router.store.home.home import Home, open_home

if TYPE_CHECKING:
    from router.server.serve import Serving
    from router.upstream.configuration import Configuration

#: The backend of the demo's own requests that are not translated.
_ALL = f"{DEMO}.all"


def run(argv: list[str]) -> int:
    """Run the demo; exit code 1 when an answer was wrong."""
    parser = Parser(
        "demo",
        "Serve with a built-in backend that needs no key and no network, send one request for each pair of protocols, "
        "that of the request and that of the backend, print what came of each, and keep serving.",
        examples=["fairlead demo", "fairlead demo --once", "fairlead demo --replay bugs"],
    )
    parser.add_argument("--port", metavar="PORT", help="port to listen on (default 3456, else a free one)")
    parser.add_argument("--once", action="store_true", help="end after the requests: exit code 0 when all were right")
    parser.add_argument(
        "--replay",
        metavar="DIR",
        help="serve what captures and repros in this folder hold",
    )
    options = parser.read(argv)
    flags = {} if options.port is None else {"port": options.port}
    home = open_home(os.environ)
    # The user's own routing rules could send the demo's requests to another backend.
    settings = replace(
        read_settings(home, flags), demo=True, model=None, fast_model=None, aliases=Frozen[str](), routes=()
    )
    client_key.check(settings)
    serve = _serve if options.replay is None else partial(play, Path(options.replay))
    return run_async(_run_demo, serve, settings, home, options.port is not None, options.once)


async def _run_demo(
    serve: Callable[[Settings, Home, bool], Awaitable[int]], settings: Settings, home: Home, chosen: bool, once: bool
) -> int:
    from router.server.listeners import PortTaken

    try:
        return await serve(settings, home, once)
    except PortTaken as taken:
        if chosen:
            raise make_port_taken_error(taken, "demo") from None
    note(f"note: {_name_owner(home, settings.port)}, so the demo uses another port.")
    return await serve(replace(settings, port=0), home, once)


def _name_owner(home: Home, port: int) -> str:
    if port in {run.port for run in run_files.live(home)}:
        return f"the running proxy has port {port}"
    owner = find_port_owner(port)
    return f"port {port} is taken by another program{f' ({owner})' if owner else ''}"


async def _serve(settings: Settings, home: Home, once: bool) -> int:
    from router.server import serve
    from router.upstream.configuration import read

    width = find_width()
    async with serve.running(settings, home) as serving, trio.open_nursery() as nursery:
        signals = serve.Signals()
        await nursery.start(signals.listen)
        signals.attach(serving)
        needless = "no API key" if serving.key is None else "no provider's key"
        print("\n".join(screen.format_head(serving.url, f"demo, {needless} needed", width)) + "\n", flush=True)
        # A reload would take the added backends away.
        async with serving.reloading:
            with _add_backends(serving, read(home, settings)) as prefixes:
                # By an address: a machine need not be able to look up localhost.
                [url, *_] = list_literal_urls(serving.url)
                outcomes = await send_requests(url, serving.key, prefixes, f"{_ALL}:")
        print("\n".join(screen.format_outcomes(outcomes, width)) + "\n", flush=True)
        if not once:
            notice = captures.capture_notice(home) if serving.runtime.settings.history_capture else ""
            print("\n".join(screen.format_next_steps(width, notice)), flush=True)
            await serving.wait_until_stopped()
        nursery.cancel_scope.cancel()
    return 0 if all(outcome.ok for outcome in outcomes) else 1


@contextmanager
def _add_backends(serving: "Serving", configuration: "Configuration") -> Generator[Mapping[str, str]]:
    """Add the demo once more for these requests, and once per protocol that can be translated, as a backend with this
    protocol only; remove them at the end. Their requests are the demo's own: they are not recorded, and no budget holds
    them.

    Yields protocol -> prefix of its models. The names hold a dot, which a configured backend's cannot.
    """
    from router.demo import PROTOCOLS

    root = serving.runtime.demo_root
    if root is None:
        raise CommandError("The demo backend is off.", "Turn it on:   fairlead config set demo on")
    chosen = {_ALL: PROTOCOLS, **{_name_restricted(name): (name,) for name in PROTOCOLS}}
    extra = tuple(
        Backend(name=name, root=root, protocols=spoken, auth="none", added=math.inf) for name, spoken in chosen.items()
    )
    # An answer's end may reach this process before its record is complete, so these stay unrecorded.
    serving.runtime.recorder.unrecorded = frozenset(chosen)
    settings = replace(configuration.settings, guard_enabled=False)
    serving.runtime.apply(configuration._replace(backends=(*configuration.backends, *extra), settings=settings))
    try:
        yield {name: f"{_name_restricted(name)}:" for name in PROTOCOLS}
    finally:
        serving.runtime.apply(configuration)


def _name_restricted(protocol: str) -> str:
    return f"{DEMO}.{protocol}"
