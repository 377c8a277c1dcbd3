"""Asking a backend whether it works: its model list, and one tiny request per protocol."""

import os
import time
from dataclasses import replace

import msgspec
import trio

from router.backends import PROTOCOLS, Backend
from router.backends.known import known, text_model
from router.cli.common.output import count
from router.errors import CommandError
from router.net.client.outbound import Outbound, outbound
from router.net.control.calls import ControlError, fetch_models, probe, serves_strangers
from router.settings import Secret, Settings
from router.store.config import toml
from router.store.home.home import Home
from router.store.keys.references import source
from router.upstream.configured_headers import set_headers
from router.upstream.credentials import Credentials

# Named when a list is missing: the provider's error then tells a refused key from an unknown model.
STAND_IN = "fairlead-check"


class Reach(msgspec.Struct, kw_only=True):
    """What the first contact showed. ok: requests can be expected to work. text: as it is printed. fix: `key` when
    another key is needed, `variable` when its variable is not set, `source` when it cannot be fetched, `again` when a
    later try may succeed, else ''."""

    ok: bool
    text: str
    fix: str = ""
    models: list[str] = []


class Trial(msgspec.Struct, kw_only=True):
    """A tiny request in one protocol. text: what came, or what went wrong. ms: until the whole answer."""

    protocol: str
    ok: bool
    text: str
    ms: int
    status: int | None = None


async def key_of(backend: Backend, keys: Credentials) -> Secret | None:
    """The key of the first account; None when the backend needs none. Raises CommandError."""
    if backend.auth != "key":
        return None
    if not backend.accounts:
        raise CommandError(
            f"{backend.name} has no key.", f"Give one:   fairlead backend set {backend.name} --key-stdin"
        )
    return await keys.key(backend.accounts[0].key)


def way_out(home: Home, name: str, settings: Settings | None = None) -> Outbound:
    """How these settings, the home's when none are given, have a backend reached. Raises CommandError."""
    settings = settings or toml.load(home, os.environ).settings
    return replace(outbound(settings, os.environ), headers=set_headers(settings.backends.get(name)))


async def reach(backend: Backend, keys: Credentials, way: Outbound) -> Reach:
    """Ask for the model list, and say what that shows."""
    try:
        key = await key_of(backend, keys)
    except CommandError as error:
        return _keyless(backend, error)
    started = time.perf_counter()
    try:
        models = await fetch_models(backend, key, way=way)
    except ControlError as error:
        return await _unlisted(backend, key, error, _ms(started), way)
    text = f"reached in {_ms(started)} ms"
    if key is not None:
        strangers = await serves_strangers(backend, way=way)
        if strangers is False:
            text += ", key accepted"
    else:
        strangers = None
    text += f", {count(len(models), 'model')}" + _example(backend, models)
    if strangers:
        text += f"\nits list is open to anyone, so the key is untested:   fairlead backend test {backend.name}"
    return Reach(ok=True, text=text, models=models)


def _keyless(backend: Backend, error: CommandError) -> Reach:
    """What to say when the key cannot be had."""
    kind = source(backend.accounts[0].key) if backend.accounts else "stored"
    fix = {"stored": "key", "env": "variable"}.get(kind, "source")
    hint = f"\n{error.hint}" if error.hint and backend.accounts else ""
    return Reach(ok=False, text=f"not tried: {str(error).rstrip('.')}{hint}", fix=fix)


async def _unlisted(backend: Backend, key: Secret | None, error: ControlError, ms: int, way: Outbound) -> Reach:
    """What a failed model list shows: a provider without one may serve all the same."""
    if error.status is None:
        return Reach(ok=False, text=str(error), fix="again")
    if error.status in (401, 403):
        return _refused(backend, key, error, ms)
    if error.status not in (404, 405, 501) or error.code == "redirect":
        text = f"reached in {ms} ms, but its model list failed: {_reason(error)}"
        return Reach(ok=False, text=text, fix="again")
    entry = known(backend.vendor)
    model = entry.models[0] if entry and entry.models else STAND_IN
    trial = await attempt(backend, key, model, backend.protocols[0], way)
    if trial.ok or (trial.status in (400, 404, 422) and "model" in trial.text.lower()):
        accepted = ", key accepted" if key else ""
        return Reach(
            ok=True, text=f"reached in {ms} ms{accepted}, no model list; name its models as {backend.name}:MODEL"
        )
    if trial.status in (401, 403):
        return _refused(backend, key, ControlError(trial.text, status=trial.status), ms)
    return Reach(ok=False, text=f"reached in {ms} ms, but it serves no model list and no {backend.protocols[0]} here")


def _refused(backend: Backend, key: Secret | None, error: ControlError, ms: int) -> Reach:
    if backend.auth == "client":
        entry = known(backend.vendor)
        listed = f", {count(len(entry.models), 'model')} listed here" if entry and entry.models else ""
        return Reach(ok=True, text=f"reached in {ms} ms; requests carry each tool's own login{listed}")
    code = f"{error.status} {error.code}".strip()
    if key is None:
        return Reach(ok=False, text=f"reached in {ms} ms, but it asks for a key ({code})", fix="key")
    return Reach(ok=False, text=f"reached in {ms} ms, key refused ({code})", fix="key")


async def attempt(backend: Backend, key: Secret | None, model: str, protocol: str, way: Outbound) -> Trial:
    """One tiny request in one protocol."""
    started = time.perf_counter()
    try:
        text = await probe(backend, key, model, protocol, way=way)
    except ControlError as error:
        return Trial(protocol=protocol, ok=False, text=_reason(error), ms=_ms(started), status=error.status)
    return Trial(protocol=protocol, ok=True, text=f'"{text}"' if text else "answered", ms=_ms(started))


async def attempts(backend: Backend, key: Secret | None, model: str, way: Outbound) -> list[Trial]:
    """One tiny request in each protocol of the backend, in order; one at a time, as small servers queue them."""
    return [await attempt(backend, key, model, protocol, way) for protocol in backend.protocols]


async def tested(backend: Backend, model: str | None, way: Outbound) -> tuple[Reach, str | None, list[Trial]]:
    """The first contact, and tiny requests where it went well; the model is found out when it is None."""
    keys = Credentials(os.environ)
    contact = await reach(backend, keys, way)
    model = model or text_model(backend, contact.models)
    if not contact.ok or backend.auth == "client" or not model:
        return contact, model, []
    return contact, model, await attempts(backend, await key_of(backend, keys), model, way)


async def detect(backend: Backend, keys: Credentials, way: Outbound) -> tuple[str, ...]:
    """The protocols that answer at a root nothing is known of. Raises CommandError when none does."""
    key = await key_of(backend, keys)
    advice = f"Name them:   fairlead backend add {backend.name} --base-url {backend.root} --protocols chat"
    try:
        model = text_model(backend, await fetch_models(backend, key, way=way)) or STAND_IN
    except ControlError as error:
        raise CommandError(f"the protocols of {backend.root} could not be found out: {error}.", advice) from None
    every = msgspec.structs.replace(backend, protocols=tuple(PROTOCOLS))
    found: dict[str, bool] = {}

    async def ask(protocol: str) -> None:
        found[protocol] = (await attempt(every, key, model, protocol, way)).ok

    async with trio.open_nursery() as nursery:
        for protocol in PROTOCOLS:
            nursery.start_soon(ask, protocol)
    served = tuple(protocol for protocol in PROTOCOLS if found[protocol])
    if not served:
        raise CommandError(f"{backend.root} answered none of {', '.join(PROTOCOLS)}.", advice)
    return served


def _example(backend: Backend, models: list[str]) -> str:
    model = text_model(backend, models)
    return f"   e.g. {backend.name}:{model}" if model else ""


def _reason(error: ControlError) -> str:
    return f"{error.status} {error}" if error.status is not None else str(error)


def _ms(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
