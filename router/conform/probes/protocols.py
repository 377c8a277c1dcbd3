"""Which protocols a backend serves, and their further paths."""

from functools import partial

import msgspec

from router.backends import PROTOCOLS
from router.backends.endpoints import find_endpoint
from router.conform import catalog
from router.conform.bench import Bench
from router.conform.probe import Group, Probe
from router.conform.probes.asking import is_answer
from router.conform.record import Finding, Unknown
from router.wire.paths.upstream import build_path
from router.wire.protocol import fill_model
from router.wire.protocols import BY_NAME

_OTHER_CAP = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}


async def _check_protocol(name: str, bench: Bench) -> Finding:
    reply = await bench.ask(name, bench.make_request(name))
    cap = bench.caps[name]
    if reply.status in (400, 422) and cap in _OTHER_CAP and cap.encode() in reply.body:
        bench.caps[name] = _OTHER_CAP[cap]
        reply = await bench.ask(name, bench.make_request(name))
    if is_answer(reply, name):
        return Finding("yes" if name in bench.backend.protocols else "partly", _describe_served(name, bench))
    bench.missing.add(name)
    return Finding("no")


def _describe_served(name: str, bench: Bench) -> str:
    if name in bench.backend.protocols:
        said = "200, an answer in the form of the protocol"
        quiet = msgspec.json.encode(bench.quiet.get(name) or {}).decode()
        return said if quiet == "{}" else f"{said}; asked with {quiet}, as its reasoning used up the limit"
    served = ",".join(one for one in PROTOCOLS if one in (*bench.backend.protocols, name))
    return f"served, but not configured: fairlead backend set {bench.backend.name} --protocols {served}"


async def _check_count(name: str, bench: Bench) -> Finding:
    count = BY_NAME[name].count
    if count is None:
        raise Unknown("the protocol has no such path")
    request = bench.make_request(name)
    body = {field: value for field, value in request.items() if field in count.fields}
    endpoint = find_endpoint(bench.backend, name)
    place = fill_model(count.path, bench.model)
    path = build_path(endpoint, BY_NAME[name], place, bench.model, stream=False)
    reply = await bench.ask(name, body, path=path)
    found = reply.read_json().get(count.answer_field)
    if not reply.ok:
        return Finding("no")
    if isinstance(found, int) and not isinstance(found, bool) and found > 0:
        return Finding("yes", f"{found} tokens")
    return Finding("no", f"200, without {count.answer_field}: {reply.describe()}")


async def _check_embeddings(bench: Bench) -> Finding:
    names = [one["id"] for one in catalog.list_entries(await catalog.read_list(bench))]
    model = next((name for name in names if "embed" in name.lower()), bench.model)
    reply = await bench.ask("chat", {"model": model, "input": "ok"}, path="/embeddings")
    if not reply.ok:
        return Finding("no")
    data = reply.read_json().get("data")
    first = data[0] if isinstance(data, list) and data else None  # pyright: ignore[reportUnknownVariableType]
    vector = first.get("embedding") if isinstance(first, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    if isinstance(vector, list) and vector:
        return Finding("yes", f"{len(vector)} numbers from {model}")  # pyright: ignore[reportUnknownArgumentType]
    return Finding("no", f"200, without a vector: {reply.describe()}")


GROUP = Group(
    "protocols",
    (
        Probe("protocols.messages", "Messages is served", partial(_check_protocol, "messages")),
        Probe("protocols.chat", "Chat is served", partial(_check_protocol, "chat")),
        Probe("protocols.responses", "Responses is served", partial(_check_protocol, "responses")),
        Probe("protocols.gemini", "Gemini is served", partial(_check_protocol, "gemini")),
        Probe("protocols.count_tokens", "Messages counts tokens", partial(_check_count, "messages")),
        Probe("protocols.input_tokens", "Responses counts tokens", partial(_check_count, "responses")),
        Probe("protocols.gemini_count", "Gemini counts tokens", partial(_check_count, "gemini")),
        Probe("protocols.embeddings", "embeddings are served", _check_embeddings),
    ),
)
