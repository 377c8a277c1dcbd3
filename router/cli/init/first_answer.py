"""The first answer through the proxy, by a tiny request of fairlead's own."""

import time
from typing import NamedTuple

import msgspec

from router.backends import Backend
from router.backends.known import text_model
from router.cli.common.layout import note, say
from router.cli.common.running_proxy import fetch_listed_status
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.calls import probe
from router.net.control.request import ControlError
from router.operator_api.client import RunningProxy
from router.operator_api.status import BackendStatus, Status
from router.policy.routing.table import DEMO
from router.settings import Secret
from router.settings.kinds import clean
from router.store.config import backends
from router.store.home.home import Home
from router.watch.amounts import format_seconds

#: A local server may have to load its model first.
_ANSWER_SECONDS = 180.0


class Chosen(NamedTuple):
    """What is asked."""

    backend: Backend
    model: str


def get_first_answer(home: Home, proxy: RunningProxy, key: Secret | None, preferred: list[str], model: str) -> None:
    """Ask, and print what came. preferred: names of backends, those to ask first. model: the user's, "" for one of the
    first backend that has some. Raises CommandError when no answer came."""
    stored = [one for one in backends.load(home)[0] if one.enabled]
    order = [one for name in preferred for one in stored if one.name == name]
    order += [one for one in stored if one.name not in preferred]
    chosen = run_async(_choose, proxy, order, model)
    if chosen is None:
        # Nothing is wrong: these wait for a tool.
        names = " and ".join(one.name for one in order)
        say(f"{names}: each tool's own login is passed on, so that only a tool can ask.")
        return
    note(f"Asking {clean(chosen.model)} through {proxy.url} ...")
    began = time.perf_counter()
    try:
        text = run_async(_ask, proxy, key, chosen)
    except ControlError as error:
        status = f" ({error.status})" if error.status is not None else ""
        raise CommandError(
            f"{clean(chosen.model)} gave no answer{status}: {error}.", "What happened:   fairlead why -"
        ) from None
    took = format_seconds(max(1, (time.perf_counter() - began) * 1000))
    said = f'"{text}"' if text else "an answer without text"
    say(f"{clean(chosen.model)} answered through fairlead in {took}: {said}")
    say("What happened:   fairlead why -")


async def _ask(proxy: RunningProxy, key: Secret | None, chosen: Chosen) -> str:
    through = msgspec.structs.replace(chosen.backend, root=f"{proxy.url}/v1")
    protocol = chosen.backend.protocols[0]
    return await probe(through, key, chosen.model, protocol, timeout=_ANSWER_SECONDS)


async def _choose(proxy: RunningProxy, order: list[Backend], model: str) -> Chosen | None:
    """What to ask; None where only tools can. Raises CommandError."""
    demo = Backend(name=DEMO, root=proxy.url, protocols=("chat",), auth="none")
    able = [one for one in order if one.auth != "client"]
    if model:
        return Chosen(able[0] if able else demo, model)
    if order and not able:
        return None
    try:
        status = await fetch_listed_status(proxy)
    except ControlError as error:
        raise CommandError(f"the proxy could not be asked: {error}.") from None
    states = {one.name: one for one in status.backends}
    if not order:
        if DEMO not in states:
            raise CommandError(
                "no backend is configured, and the demo is off.",
                "Add one:   fairlead backend add\nOr turn on the demo:   fairlead config set demo on",
            )
        return Chosen(demo, DEMO)
    for one in able:
        found = _choose_model(one, status)
        if found:
            return Chosen(one, found)
        note(f"note: {_explain(one.name, states.get(one.name))}; it cannot be asked now.")
    raise CommandError(
        "no backend can be asked now.",
        f"Test one:       fairlead backend test {able[0].name}\n"
        f"Name a model:   fairlead init --model {able[0].name}:MODEL",
    )


def _choose_model(backend: Backend, status: Status) -> str:
    """The cheapest known model that a backend lists, named so that it goes there; "" for none."""
    prefix = f"{backend.name}:"
    listed = [one.id.removeprefix(prefix) for one in status.models if one.backend == backend.name]
    model = text_model(backend, listed)
    return f"{prefix}{model}" if model else ""


def _explain(name: str, state: BackendStatus | None) -> str:
    if state is None:
        return f"the proxy does not have {name} yet"
    return f"{name} lists no model" if state.problem is None else f"{name}: {clean(state.problem, 300).rstrip('.')}"
