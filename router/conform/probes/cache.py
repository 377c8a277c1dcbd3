"""The cache of prompts: whether it is told, and whether marks are taken."""

from router.backends.cache_rules import find_cache_rule
from router.conform.bench import Bench, read_usage
from router.conform.client import Reply
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, is_answer
from router.conform.record import Finding

#: Of a prompt; more than most providers' shortest one that they cache. A model that is known to need more gets more.
_TOKENS = 2200
_LINE_TOKENS = 15
_MARK = {"cache_control": {"type": "ephemeral"}}


def _make_prefix(bench: Bench) -> str:
    """A text that is long enough to be cached."""
    minimum = find_cache_rule(bench.model, minimum=bench.profile.cache_minimum).minimum
    count = max(_TOKENS, minimum * 5 // 4) // _LINE_TOKENS
    return "".join(f"Line {number}: this text is here to be kept in the cache of prompts.\n" for number in range(count))


async def _ask_long(bench: Bench, name: str, question: str) -> Reply:
    body, prefix = bench.make_request(name, question), _make_prefix(bench)
    if name == "responses":
        return await bench.ask(name, {**body, "instructions": prefix})
    if name == "messages":
        return await bench.ask(name, {**body, "system": [{"type": "text", "text": prefix, **_MARK}]})
    turns = [{"role": "system", "content": prefix}, {"role": "user", "content": question}]
    return await bench.ask(name, {**body, "messages": turns})


async def _check_reported(bench: Bench) -> Finding:
    name = bench.choose(*ANY)
    told: list[int] = []
    for question in ("Say ok.", "Say no."):
        reply = await _ask_long(bench, name, question)
        if not is_answer(reply, name):
            return Finding("no")
        usage = read_usage(reply, name, bench.profile)
        told.append((usage.cache_read or 0) if usage is not None else 0)
    if told[1]:
        return Finding("yes", f"of the same prompt {told[0]} tokens were cached, then {told[1]}")
    return Finding("no", "the same prompt came twice, and no cached tokens are told")


async def _check_marks(bench: Bench) -> Finding:
    name = bench.choose("chat", "messages")
    part = {"type": "text", "text": "Say ok.", **_MARK}
    reply = await bench.ask(name, bench.make_request(name, messages=[{"role": "user", "content": [part]}]))
    if is_answer(reply, name):
        return Finding("yes", "a part with cache_control is taken")
    return Finding("no", flags={"cache": ""} if name == "chat" and reply.refused else {})


GROUP = Group(
    "cache",
    (
        Probe("cache.marks", "marks for the cache are taken", _check_marks),
        Probe("cache.reported", "a prompt that comes again is told as cached", _check_reported),
    ),
)
