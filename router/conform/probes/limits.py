"""The limits of a model, as its errors tell them."""

from typing import TYPE_CHECKING, cast

from router.conform import catalog
from router.conform.bench import Bench
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY
from router.conform.record import Finding, Unknown
from router.policy.facts.catalogs import read_entry
from router.wire.errors.overflow import read_overflow

if TYPE_CHECKING:
    from router.wire.raw.json.json_values import Json

#: Tokens; for a model whose list tells no window.
_USUAL_WINDOW = 210_000
#: More than this is not sent.
_MOST_WINDOW = 1_100_000
_WORD = "overflow "


async def _check_overflow(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    window = await _read_window(bench)
    if window > _MOST_WINDOW:
        raise Unknown(f"a window of {window:,} tokens is larger than what is sent")
    # Each word is a token at least.
    reply = await bench.ask(name, bench.make_request(name, _WORD * (window + window // 8 + 64)))
    if reply.ok:
        return Finding("no", f"more than {window:,} tokens were answered, as if they had all been read")
    if not reply.refused:
        return Finding("no")
    error = reply.read_json().get("error")
    told = cast("Json", error) if isinstance(error, dict) else {}
    message = told.get("message")
    found = read_overflow(told, message if isinstance(message, str) else "", status=reply.status)
    if found is None:
        return Finding("no", f"refused in words that clients do not know: {reply.describe()}")
    if found.limit is None:
        return Finding("partly", f"refused without the limit: {reply.describe()}")
    bench.overflow = found
    return Finding("yes", f"the limit is {found.limit:,} tokens: {reply.describe()}")


async def _read_window(bench: Bench) -> int:
    entry = catalog.find_entry(catalog.list_entries(await catalog.read_list(bench)), bench.model)
    facts = read_entry(entry).facts if entry is not None else None
    told = (facts.max_input or facts.window) if facts is not None else None
    return told or _USUAL_WINDOW


GROUP = Group(
    "limits",
    (Probe("limits.overflow", "the error of a request that is too long tells the limit", _check_overflow, True),),
)
