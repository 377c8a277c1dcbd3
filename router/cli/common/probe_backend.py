"""Check whether a backend works: read its model list, and send one tiny request per protocol."""

import os
import time
from dataclasses import replace
from typing import Literal

import msgspec
import trio

from router.backends import PROTOCOLS, Backend
from router.backends.advice import Advice, advise, advise_error, guess_root
from router.backends.endpoints import find_key_header, find_protocols
from router.backends.known import known, text_model
from router.cli.common.output import format_count
from router.errors import CommandError
from router.net.client.outbound import Outbound, read_outbound
from router.net.control.calls import NO_LIST, ControlError, fetch_models, is_catalog_public, probe
from router.settings import Secret, Settings
from router.store.config import toml
from router.store.home.home import Home
from router.store.keys.own_keys import OwnKeyRefused
from router.store.keys.references import source
from router.store.keys.secrets import VariableUnset
from router.upstream.configured_headers import set_headers
from router.upstream.credentials import Credentials, find_reference
from router.watch.amounts import format_seconds

# The model of a probe when the backend has no model list: its error then distinguishes a refused key from an unknown
# model.
PLACEHOLDER_MODEL = "fairlead-check"
#: Of the model list.
LIST_SECONDS = 10.0
_CANNOT_FIND = "the protocols that {} speaks cannot be found out"


class ProbeResult(msgspec.Struct, kw_only=True):
    """The result of a first contact with a backend."""

    #: Requests can be expected to work.
    ok: bool
    #: The lines to print, separated by line ends.
    text: str
    #: What would help: `key` another key, `own` another key, since this one is fairlead's own, `variable` setting the
    #: key's environment variable, `source` being able to fetch the key, `again` a later try, '' nothing.
    fix: str = ""
    models: list[str] = []


class ProtocolProbe(msgspec.Struct, kw_only=True):
    """The result of one tiny request in one protocol."""

    protocol: str
    ok: bool
    #: The answer in quotes, or the error.
    text: str
    #: Milliseconds until the answer was complete.
    ms: int
    #: The HTTP status of an error; None for a success and for an error without a response.
    status: int | None = None


async def fetch_key(backend: Backend, keys: Credentials) -> Secret | None:
    """The key of the first account; None when the backend needs none. Raises CommandError."""
    if backend.auth != "key":
        return None
    if not backend.accounts:
        raise CommandError(
            f"{backend.name} has no key.", f"Give one:   fairlead backend set {backend.name} --key-stdin"
        )
    return await keys.key(find_reference(backend.accounts[0], backend.root))


def build_outbound(home: Home, backend: Backend, settings: Settings | None = None) -> Outbound:
    """Proxy, TLS roots and headers for requests to a backend. settings: default is those of the home. Raises
    CommandError."""
    settings = settings or toml.load(home, os.environ).settings
    headers = set_headers(settings.backends.get(backend.name))
    return replace(read_outbound(settings, os.environ), headers=headers, link_local=backend.insecure_http)


async def probe_backend(
    backend: Backend, keys: Credentials, way: Outbound, *, timeout: float = LIST_SECONDS
) -> ProbeResult:
    """Ask for the model list, and report what that shows of the backend and its key. timeout: for each request."""
    try:
        key = await fetch_key(backend, keys)
    except CommandError as error:
        return _report_missing_key(backend, error)
    started = time.perf_counter()
    try:
        models = await fetch_models(backend, key, outbound=way, timeout=timeout)
    except ControlError as error:
        return await _probe_without_list(backend, key, error, format_seconds(_measure_ms(started)), way)
    text = f"reached in {format_seconds(_measure_ms(started))}"
    if key is not None:
        strangers = await is_catalog_public(backend, outbound=way, timeout=timeout)
        if strangers is False:
            text += ", key accepted"
    else:
        strangers = None
    text += f", {format_count(len(models), 'model')}" + _format_example(backend, models)
    if strangers:
        text += (
            f"\nthe model list needs no key, so the key was not tested. Test it:   fairlead backend test {backend.name}"
        )
    return ProbeResult(ok=True, text=text, models=models)


def _report_missing_key(backend: Backend, error: CommandError) -> ProbeResult:
    """The result for a key that cannot be fetched."""
    kind = source(backend.accounts[0].key) if backend.accounts else "stored"
    hint = f"\n{error.hint}" if error.hint and backend.accounts else ""
    text = f"not tried: {str(error).rstrip('.')}"
    if isinstance(error, VariableUnset):
        return ProbeResult(ok=False, text=f"{text} in this shell", fix="variable")
    if isinstance(error, OwnKeyRefused):
        return ProbeResult(ok=False, text=text, fix="own")
    fix = "key" if kind in ("stored", "env") else "source"
    return ProbeResult(ok=False, text=f"{text}{hint}", fix=fix)


async def _probe_without_list(
    backend: Backend, key: Secret | None, error: ControlError, took: str, way: Outbound
) -> ProbeResult:
    """The result after a failed model list; a provider without one may still serve requests."""
    if error.status is None:
        return ProbeResult(ok=False, text=_add_advice(str(error), advise(error.cause, backend)), fix="again")
    if error.status in (401, 403):
        return _report_refusal(backend, key, error, took)
    if error.status not in (404, 405, 501) or error.code == "redirect":
        text = f"reached in {took}, but its model list failed: {_format_reason(error)}"
        return ProbeResult(ok=False, text=_add_advice(text, advise(error.cause, backend)), fix="again")
    entry = known(backend.vendor)
    model = entry.models[0] if entry and entry.models else PLACEHOLDER_MODEL
    protocol = find_protocols(backend, model)[0]
    trial = await probe_protocol(backend, key, model, protocol, way)
    if error.code == NO_LIST:
        # Nothing was asked for it.
        took = format_seconds(trial.ms)
        if trial.status is None and not trial.ok:
            return ProbeResult(ok=False, text=trial.text, fix="again")
    if trial.ok or (trial.status in (400, 404, 422) and "model" in trial.text.lower()):
        accepted = ", key accepted" if key else ""
        return ProbeResult(
            ok=True,
            text=f"reached in {took}{accepted}, no model list; name its models as {backend.name}:MODEL",
        )
    if trial.status in (401, 403):
        return _report_refusal(backend, key, ControlError(trial.text, status=trial.status), took)
    if entry is not None and entry.variables:
        # Its path is certain.
        return ProbeResult(ok=False, text=f"reached in {took}, but a request in {protocol} failed: {trial.text}")
    text = f"reached in {took}, but {backend.root} has no model list and no {backend.protocols[0]}"
    return ProbeResult(ok=False, text=_add_advice(text, await _advise_path(backend, key, way)))


def _report_refusal(backend: Backend, key: Secret | None, error: ControlError, took: str) -> ProbeResult:
    if backend.auth == "client":
        entry = known(backend.vendor)
        listed = f", {format_count(len(entry.models), 'model')} listed here" if entry and entry.models else ""
        return ProbeResult(ok=True, text=f"reached in {took}; requests carry each tool's own login{listed}")
    code = f"{error.status} {error.code}".strip()
    if key is None:
        return ProbeResult(ok=False, text=f"reached in {took}, but it asks for a key ({code})", fix="key")
    text = f"reached in {took}, key refused ({code})"
    header, prefix = find_key_header(backend, backend.protocols[0])
    if error.status == 401 and (backend.auth_header or not (backend.vendor or prefix)):
        # The form was chosen by the user, or guessed from the protocol.
        advice = f"Where it wants another: fairlead backend set {backend.name} --auth-header FORM"
        text += f"\nthe key was sent as {header}: {prefix}KEY. {advice}"
    return ProbeResult(ok=False, text=text, fix="key")


async def probe_protocol(
    backend: Backend, key: Secret | None, model: str, protocol: str, way: Outbound
) -> ProtocolProbe:
    """Send one tiny request in one protocol."""
    started = time.perf_counter()
    try:
        text = await probe(backend, key, model, protocol, outbound=way)
    except ControlError as error:
        hint = advise_error(backend, str(error))
        text = f"{_format_reason(error)} ({hint})" if hint else _format_reason(error)
        return ProtocolProbe(protocol=protocol, ok=False, text=text, ms=_measure_ms(started), status=error.status)
    return ProtocolProbe(protocol=protocol, ok=True, text=f'"{text}"' if text else "answered", ms=_measure_ms(started))


async def probe_protocols(backend: Backend, key: Secret | None, model: str, way: Outbound) -> list[ProtocolProbe]:
    """Send one tiny request in each protocol of the backend, one after the other, because small servers queue them."""
    spoken = find_protocols(backend, model)
    return [await probe_protocol(backend, key, model, protocol, way) for protocol in spoken]


async def probe_all(
    backend: Backend, model: str | None, keys: Credentials, way: Outbound
) -> tuple[ProbeResult, str | None, list[ProtocolProbe]]:
    """Make first contact, and after a success send tiny requests. model: None takes one from the backend's list.
    Returns the contact, the model that was used, and a probe per protocol."""
    contact = await probe_backend(backend, keys, way)
    model = model or text_model(backend, contact.models)
    if not contact.ok or backend.auth == "client" or not model:
        return contact, model, []
    return contact, model, await probe_protocols(backend, await fetch_key(backend, keys), model, way)


async def detect_protocols(backend: Backend, keys: Credentials, way: Outbound) -> tuple[str, ...]:
    """The protocols that answer at an unknown root. Raises CommandError when none does."""
    key = await fetch_key(backend, keys)
    command = f"fairlead backend add {backend.name} --base-url {backend.root}"
    advice = f"Name them:   {command} --protocols chat"
    try:
        model = text_model(backend, await fetch_models(backend, key, outbound=way)) or PLACEHOLDER_MODEL
    except ControlError as error:
        raise await _explain_no_protocols(backend, key, error, command, way) from None
    every = msgspec.structs.replace(backend, protocols=tuple(PROTOCOLS))
    found: dict[str, ProtocolProbe] = {}

    async def ask(protocol: str) -> None:
        found[protocol] = await probe_protocol(every, key, model, protocol, way)

    async with trio.open_nursery() as nursery:
        for protocol in PROTOCOLS:
            nursery.start_soon(ask, protocol)
    served = tuple(protocol for protocol in PROTOCOLS if found[protocol].ok)
    if not served:
        refusal = next((probed.status for probed in found.values() if probed.status in (401, 403)), None)
        if refusal is not None:
            raise _explain_key_needed(backend, key, str(refusal), command)
        raise CommandError(f"{backend.root} answered none of {', '.join(PROTOCOLS)}.", advice)
    return served


async def _explain_no_protocols(
    backend: Backend, key: Secret | None, error: ControlError, command: str, way: Outbound
) -> CommandError:
    """The error for an unknown server whose model list cannot be read, which would show what it speaks."""
    if error.status in (401, 403):
        return _explain_key_needed(backend, key, f"{error.status} {error.code}".strip(), command)
    help_ = advise(error.cause, backend, verb="add")
    if error.status in (404, 405, 501) and error.code != "redirect":
        help_ = await _advise_path(backend, key, way, verb="add")
    hint = help_.join("   ") if help_ else f"Name them:   {command} --protocols chat"
    return CommandError(f"{_CANNOT_FIND.format(backend.root)}: {error}.", hint)


def _explain_key_needed(backend: Backend, key: Secret | None, code: str, command: str) -> CommandError:
    problem = _CANNOT_FIND.format(backend.root)
    if key is None:
        return CommandError(f"{problem}: it asks for a key ({code}).", f"Give one:   {command} --key-stdin")
    return CommandError(f"{problem}: it refused the key ({code}).", f"Give another key:   {command} --key-stdin")


async def _advise_path(
    backend: Backend, key: Secret | None, way: Outbound, verb: Literal["add", "set"] = "set"
) -> Advice | None:
    """What to do about a server that has no API at its root: where it has one is asked of the server itself."""
    other = guess_root(backend.root)
    if other:
        try:
            await fetch_models(msgspec.structs.replace(backend, root=other), key, outbound=way)
        except ControlError as error:
            if error.status not in (401, 403):
                return advise("path", backend, verb=verb)
        return Advice(f"Its API is at {other}", f"fairlead backend {verb} {backend.name} --base-url {other}")
    return advise("path", backend, verb=verb)


def _add_advice(text: str, advice: Advice | None) -> str:
    return f"{text}\n{advice.join('   ')}" if advice is not None else text


def _format_example(backend: Backend, models: list[str]) -> str:
    model = text_model(backend, models)
    return f"   e.g. {backend.name}:{model}" if model else ""


def _format_reason(error: ControlError) -> str:
    return f"{error.status} {error}" if error.status is not None else str(error)


def _measure_ms(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)
