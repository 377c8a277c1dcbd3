"""Streams: whether they come as they are made, how they end, what they tell beside the text."""

from collections.abc import Callable
from itertools import pairwise
from typing import cast

from router.conform import catalog
from router.conform.bench import Bench, read_usage
from router.conform.client import Reply, StreamEvent
from router.conform.probe import Group, Probe
from router.conform.probes.asking import judge_each, list_spoken, stream_all
from router.conform.record import Finding, Unknown
from router.wire.raw.json.json_values import Json

#: An answer that took less can have come at once without having been held back.
_QUICK = 0.25
#: Seconds for which clients wait in silence, by their own limits.
_SILENCE = 20.0
_PIECES = 3


async def _judge_streams(bench: Bench, judge: Callable[[Reply, str], str], good: str) -> Finding:
    streams = await stream_all(bench, list_spoken(bench))
    return judge_each({name: _judge_one(reply, name, judge) for name, reply in streams.items()}, good)


def _judge_one(reply: Reply, name: str, judge: Callable[[Reply, str], str]) -> str:
    if reply.ok and not reply.is_stream:
        return f"no stream: {reply.fields.get('content-type', 'no content-type')}"
    return judge(reply, name) if reply.ok else reply.describe()


async def _check_increments(bench: Bench) -> Finding:
    return await _judge_streams(bench, _find_no_increments, "in pieces as they are made")


def _find_no_increments(reply: Reply, name: str) -> str:
    times = [event.at for event in reply.iter_events() if _has_text(event, name)]
    if len(times) < _PIECES:
        return f"{len(times)} pieces of text"
    if len(set(times)) == 1 and times[0] > _QUICK:
        return f"{len(times)} pieces, all at once after {times[0]:.1f} s"
    return ""


def _has_text(event: StreamEvent, name: str) -> bool:
    """True for a piece of text, or of reasoning."""
    if name == "chat":
        delta = _first_choice(event.data).get("delta")
        fields = cast("Json", delta) if isinstance(delta, dict) else {}
        return any(fields.get(field) for field in ("content", "reasoning_content", "reasoning"))
    kind = event.data.get("type")
    return kind == "content_block_delta" or (isinstance(kind, str) and kind.endswith("_text.delta"))


def _first_choice(data: Json) -> Json:
    choices = data.get("choices")
    first = cast("list[object]", choices)[0] if isinstance(choices, list) and choices else None
    return cast("Json", first) if isinstance(first, dict) else {}


async def _check_terminal(bench: Bench) -> Finding:
    found = await _judge_streams(bench, _find_no_end, "ended by the event of the protocol")
    chat = (await stream_all(bench, ["chat"]))["chat"] if "chat" in list_spoken(bench) else None
    if chat is None or not chat.ok or not chat.is_stream:
        return found
    finished = any(_first_choice(event.data).get("finish_reason") for event in chat.iter_events())
    # That one answer has it does not mean that all have.
    return found if finished else found._replace(flags={"finish_optional": True})


def _find_no_end(reply: Reply, name: str) -> str:
    events = list(reply.iter_events())
    kinds = {event.data.get("type") for event in events}
    if name == "chat":
        lacks = [] if any(_first_choice(event.data).get("finish_reason") for event in events) else ["finish_reason"]
        lacks += [] if any(_is_done(event) for event in events) else ["[DONE]"]
        return f"without {' and '.join(lacks)}" if lacks else ""
    wanted = {"message_stop"} if name == "messages" else {"response.completed", "response.incomplete"}
    return "" if kinds & wanted else f"without {' or '.join(sorted(wanted))}"


def _is_done(event: StreamEvent) -> bool:
    return event.raw.strip().endswith(b"[DONE]")


async def _check_usage(bench: Bench) -> Finding:
    streams = await stream_all(bench, list_spoken(bench, ("messages", "responses")))
    said: dict[str, str] = {}
    for name, reply in streams.items():
        said[name] = _judge_one(reply, name, lambda one, where: _find_no_usage(one, where, bench))
    return judge_each(said, "usage is told")


def _find_no_usage(reply: Reply, name: str, bench: Bench) -> str:
    usage = read_usage(reply, name, bench.profile)
    if usage is None:
        return "no usage"
    return "" if usage.input is not None and usage.output else "usage without tokens of the answer"


async def _check_asked_usage(bench: Bench) -> Finding:
    name = bench.choose("chat")
    body = bench.make_request(name, stream=True, stream_options={"include_usage": True})
    reply = await bench.ask(name, body)
    if not reply.ok:
        return Finding("no", flags={"stream_usage": False})
    if read_usage(reply, name, bench.profile) is None:
        return Finding("no", "it is asked for by stream_options, and none came")
    return Finding("yes", "a chunk with usage came")


async def _check_unasked_usage(bench: Bench) -> Finding:
    reply = (await stream_all(bench, [bench.choose("chat")]))["chat"]
    if not reply.ok:
        raise Unknown(reply.describe())
    if any(event.data.get("usage") for event in reply.iter_events()):
        return Finding("partly", "usage comes unasked", {"stream_usage": False})
    return Finding("yes", "none came unasked")


async def _check_error(bench: Bench) -> Finding:
    said: dict[str, str] = {}
    for name in list_spoken(bench):
        place = "input" if name == "responses" else "messages"
        reply = await bench.ask(name, {**bench.make_request(name, stream=True), place: []})
        said[name] = _judge_refusal(reply, name)
    return judge_each(said, "an empty conversation is refused by a status, before the stream")


def _judge_refusal(reply: Reply, name: str) -> str:
    if reply.ok:
        failed = any("error" in event.data or event.name == "error" for event in reply.iter_events())
        failed = failed or bool(reply.read_json().get("error"))
        return "an error inside a 200" if failed else "an empty conversation is answered"
    error = reply.read_json().get("error")
    message = cast("Json", error).get("message") if isinstance(error, dict) else None
    return "" if isinstance(message, str) and message else f"no error in the form of {name}: {reply.describe()}"


async def _check_pings(bench: Bench) -> Finding:
    return await _judge_streams(bench, _find_bad_ping, "nothing came that clients do not understand")


def _find_bad_ping(reply: Reply, name: str) -> str:
    for event in reply.iter_events():
        lines = event.raw.splitlines()
        if event.data or _is_done(event) or not any(line.startswith(b"data:") for line in lines):
            continue
        return f"an event whose data is no JSON object: {event.raw[:80].decode('utf-8', 'replace')}"
    moments = [0.0, *(at for at, _ in reply.arrivals)]
    longest = max((later - sooner for sooner, later in pairwise(moments)), default=0.0)
    return f"silent for {longest:.0f} s" if longest > _SILENCE else ""


async def _check_coding(bench: Bench) -> Finding:
    plain = await stream_all(bench, list_spoken(bench))
    coded = {name: reply.coding for name, reply in plain.items() if reply.coding}
    if coded:
        said = ", ".join(f"{name} in {coding}" for name, coding in coded.items())
        return Finding("no" if len(coded) == len(plain) else "partly", f"coded though identity was asked for: {said}")
    packed = await bench.get("/models", headers={"accept-encoding": "gzip"}, limit=catalog.LIST_BYTES)
    if packed.problem:
        return Finding("partly", f"identity is kept to; with gzip asked for: {packed.describe()}")
    return Finding("yes", f"identity is kept to; gzip is {'used' if packed.coding else 'not used'} where it is taken")


GROUP = Group(
    "stream",
    (
        Probe("stream.increments", "a stream comes in pieces, as they are made", _check_increments),
        Probe("stream.terminal", "a stream ends with the event of its protocol", _check_terminal),
        Probe("stream.usage", "a stream of Messages or Responses tells its usage", _check_usage),
        Probe(
            "stream.usage_asked", "a Chat stream tells its usage where stream_options ask for it", _check_asked_usage
        ),
        Probe("stream.usage_unasked", "a Chat stream that is not asked tells none", _check_unasked_usage),
        Probe("stream.error", "what is wrong is told by a status, not inside a 200", _check_error),
        Probe("stream.pings", "what fills silence is understood by clients", _check_pings),
        Probe("stream.coding", "a stream is not compressed unless that is asked for", _check_coding),
    ),
)
