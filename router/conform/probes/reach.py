"""How a backend is reached: the way to it, its key, its list of models, its connections."""

from urllib.parse import quote

import trio

from router.backends.key_forms import WRONG_KEY
from router.backends.known import host_of, is_https, plain_http_allowed
from router.conform import catalog
from router.conform.bench import Bench
from router.conform.client import Reply
from router.conform.probe import Group, Probe
from router.conform.record import Finding, Unknown
from router.net.client.pool import REST_SECONDS
from router.policy.facts.catalogs import read_entry
from router.wire.protocols import BY_NAME


async def _check_way(bench: Bench) -> Finding:
    reply = await catalog.read_list(bench)
    if not reply.status:
        return Finding("no", reply.problem)
    root = bench.backend.root
    if is_https(root):
        return Finding("yes", "TLS, and its certificate was accepted")
    if plain_http_allowed(host_of(root)):
        return Finding("yes", "plain HTTP within this machine or a private network")
    return Finding("no", "plain HTTP to a public host: keys and texts can be read on the way")


async def _check_key(bench: Bench) -> Finding:
    if bench.backend.auth == "none":
        raise Unknown("it is configured without a key")
    reply = await bench.get("/models", key=WRONG_KEY)
    if reply.status not in (401, 403):
        # Some show their list to everybody. An empty request is refused before a model reads it.
        reply = await bench.ask(bench.backend.protocols[0], {}, key=WRONG_KEY, raw=True)
    if reply.status in (401, 403) or _tells_key(reply, bench):
        error = reply.read_json().get("error")
        return Finding("yes" if error else "partly", "" if error else f"{reply.describe()} (not in an error's form)")
    if not reply.status:
        raise Unknown(reply.problem)
    return Finding("no", f"a wrong key was answered with {reply.describe()}")


def _tells_key(reply: Reply, bench: Bench) -> bool:
    """True for a 400 that names the key as the reason, as Google's API has it."""
    said = reply.body.lower() if reply.status == 400 else b""
    return any(word in said for name in bench.backend.protocols for word in BY_NAME[name].auth_words)


async def _check_list(bench: Bench) -> Finding:
    reply = await catalog.read_list(bench)
    entries = catalog.list_entries(reply)
    if not entries:
        return Finding("no", reply.describe())
    if catalog.find_entry(entries, bench.model) is None:
        return Finding("partly", f"{len(entries)} models are listed, and {bench.model} is none of them")
    return Finding("yes", f"{len(entries)} models, {bench.model} among them")


async def _check_facts(bench: Bench) -> Finding:
    entry = catalog.find_entry(catalog.list_entries(await catalog.read_list(bench)), bench.model)
    if entry is None:
        # Some lists leave out what can be asked for by its name.
        entry = (await bench.get(f"/models/{quote(bench.model, safe='')}")).read_json()
        if not entry.get("id"):
            raise Unknown("the model is not listed")
    facts = read_entry(entry).facts
    told = [name for name in facts.__struct_fields__ if getattr(facts, name) not in (None, "", ())]
    if facts.window is not None or facts.max_input is not None:
        return Finding("yes", f"its entry tells {', '.join(told)}")
    said = f"its entry tells {', '.join(told)}, and no window" if told else "its entry tells no limits"
    return Finding("partly" if told else "no", said)


async def _check_reuse(bench: Bench) -> Finding:
    reply = await bench.get("/models")
    # A connection rests before it is used again.
    await trio.sleep(REST_SECONDS * 1.5)
    reply = await bench.get("/models")
    if not reply.status:
        raise Unknown(reply.problem)
    if reply.reused:
        return Finding("yes", "two requests went over one connection")
    return Finding(
        "no", f"each request needs a new connection (connection: {reply.fields.get('connection', 'not said')})"
    )


GROUP = Group(
    "reach",
    (
        Probe("reach.tls", "it is reached by TLS, or in a private network", _check_way),
        Probe("reach.models", "its list of models has the model", _check_list),
        Probe("reach.model_facts", "the list tells the model's limits", _check_facts),
        Probe("reach.key", "a wrong key is refused as such", _check_key),
        Probe("reach.keep_alive", "a connection serves several requests", _check_reuse),
    ),
)
