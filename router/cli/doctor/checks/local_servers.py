"""Model servers of this machine: whether they have a model, and a window that agents' prompts fit into."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import trio

from router.backends import Backend
from router.backends.known import known
from router.cli.common.offers import offer_keys, offer_servers
from router.cli.common.probe_backend import build_outbound, fetch_key
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.net.control import local_servers
from router.net.control.calls import fetch_document, fetch_models
from router.net.control.request import ControlError
from router.store.home.home import Home
from router.upstream.facts.documents import is_local, read_documents

#: Tokens: prompts of coding agents have 30 to 140 KB before the first question.
LEAST_WINDOW = 32_768
#: How each server is given a larger window.
_ENLARGE = {
    "ollama": f"OLLAMA_CONTEXT_LENGTH={LEAST_WINDOW} ollama serve",
    "llamacpp": f"llama-server --ctx-size {LEAST_WINDOW} --model FILE",
    "lmstudio": f"lms load MODEL --context-length {LEAST_WINDOW}",
}
_PULL = {"ollama": "ollama pull qwen3:8b", "lmstudio": "lms get qwen/qwen3-8b"}
_SHOWN = 3
_T = TypeVar("_T")


def is_own_server(backend: Backend) -> bool:
    """True for a server whose window can be asked for."""
    return is_local(backend, "")


async def check_server(situation: Situation, home: Home, backend: Backend) -> list[Row]:
    """Whether it has a model, and what window it has allocated. One that does not run is told of elsewhere."""
    name = f"local.{backend.name}"
    way = build_outbound(home, backend, situation.settings)
    try:
        key = await fetch_key(backend, situation.credentials)
        models = await fetch_models(backend, key, outbound=way, timeout=2.0)
    except (CommandError, ControlError):
        return []
    entry = known(backend.vendor)
    title = entry.title if entry is not None else backend.name
    if not models:
        pull = _PULL.get(backend.vendor, "")
        fix = f"Get one: {pull}" if pull else f"Load one in {title}, then: fairlead models"
        return [Row(name, "warn", f"{title} has no model", fix)]

    async def ask(path: str, read: Callable[[object], _T], *, body: bytes | None = None, key_header: str = "") -> _T:
        fetch = partial(fetch_document, backend, key, path, read, body=body, key_header=key_header, outbound=way)
        return await fetch(timeout=2.0)

    try:
        facts = await read_documents(backend, models, "", ask)
    except ControlError:
        return []
    windows = {model: listed.allocated for model, listed in facts.items() if listed.allocated is not None}
    small = [model for model, window in windows.items() if window < LEAST_WINDOW]
    if small:
        listed = ", ".join(f"{model} {windows[model]:,}" for model in small[:_SHOWN])
        text = f"{title} gives fewer tokens than coding agents' prompts have: {listed}"
        text += ". It cuts what is longer, and does not say so" if backend.vendor == "ollama" else ""
        enlarge = _ENLARGE.get(backend.vendor, "")
        return [Row(name, "warn", text, f"Give more, as far as memory allows: {enlarge}")]
    if windows:
        return [Row(name, "ok", f"{title} gives at least {min(windows.values()):,} tokens")]
    return []


async def check_offers(situation: Situation) -> list[Row]:
    """What answers or is set here and is not configured; nothing has to be done about it."""
    home = situation.home
    if home is None:
        return []

    def look() -> list[Row]:
        settings = situation.settings
        try:
            offers = [
                *offer_servers(home, settings, local_servers.SECONDS),
                *offer_keys(home, settings, situation.environ),
            ]
        except CommandError:
            return []
        return [Row("offers", "info", f"{one.about}, and is not configured ({one.command})") for one in offers]

    return await trio.to_thread.run_sync(look, abandon_on_cancel=True)
