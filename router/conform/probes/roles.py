"""Which turns a conversation may have, and in what order."""

from collections.abc import Mapping, Sequence

from router.conform.bench import MOST_OUTPUT, Bench
from router.conform.probe import Group, Probe
from router.conform.probes.asking import ANY, Turn, is_answer, judge_taken, make_turns, read_whole_text
from router.conform.record import Finding

_ASK: Turn = ("user", "Say ok.")
_SYSTEM: Turn = ("system", "Answer briefly.")
_ALPHABET = "Write the capital letters from A to H, separated by spaces. Write nothing else."
_BEGUN = "A B C"


async def _take(
    bench: Bench,
    turns: Sequence[Turn],
    protocols: Sequence[str] = ANY,
    flags: Mapping[bool, Mapping[str, object]] | None = None,
) -> Finding:
    name = bench.choose(*protocols)
    reply = await bench.ask(name, make_turns(bench, name, turns))
    # The flags are of Chat's form.
    return judge_taken(reply, name, flags=flags if name == "chat" else None)


async def _check_developer(bench: Bench) -> Finding:
    turns = [("developer", "Answer briefly."), _ASK]
    return await _take(bench, turns, ("chat", "responses"), {False: {"system_role": "system"}})


async def _check_mid_system(bench: Bench) -> Finding:
    turns = [_ASK, ("assistant", "ok"), _SYSTEM, ("user", "Say ok again.")]
    return await _take(bench, turns, flags={False: {"single_system": True}})


async def _check_two_systems(bench: Bench) -> Finding:
    turns = [_SYSTEM, ("system", "Use small letters."), _ASK]
    return await _take(bench, turns, ("chat", "responses"), {False: {"single_system": True}})


async def _check_same_role(bench: Bench) -> Finding:
    turns = [("user", "Hello."), _ASK]
    return await _take(bench, turns, flags={False: {"alternates": True}, True: {"alternates": False}})


async def _check_empty_text(bench: Bench) -> Finding:
    return await _take(bench, [_ASK, ("assistant", ""), ("user", "Say ok again.")])


# How a request asks to continue its last turn -> the fields of the body, and what the turn has more.
_PREFILLS: Mapping[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "continue": ({"continue_final_message": True, "add_generation_prompt": False}, {}),
    "prefix": ({}, {"prefix": True}),
}


async def _check_prefill(bench: Bench) -> Finding:
    name = bench.choose("chat", "messages")
    if name == "messages":
        return await _try_prefill(bench, name, {}, {})
    found: dict[str, Finding] = {}
    # The one that it is known for first; both cost little.
    for form in sorted(_PREFILLS, key=lambda one: one != bench.profile.prefill):
        found[form] = await _try_prefill(bench, name, *_PREFILLS[form])
        if found[form].verdict == "yes":
            return found[form]._replace(evidence=f"by {form}: {found[form].evidence}", flags={"prefill": form})
    first = next(iter(found.values()))
    return first._replace(flags={"prefill": ""})


async def _try_prefill(bench: Bench, name: str, fields: Mapping[str, object], more: Mapping[str, object]) -> Finding:
    turns = [{"role": "user", "content": _ALPHABET}, {"role": "assistant", "content": _BEGUN, **more}]
    body = {**bench.make_request(name, output=MOST_OUTPUT, messages=turns), **fields}
    reply = await bench.ask(name, body)
    if not is_answer(reply, name):
        return Finding("no")
    text = read_whole_text(reply, name).strip()
    if text.startswith(("D", "A B C D")) and not text.startswith("A B C A"):
        continued = text.startswith("D")
        said = "the answer goes on" if continued else "the answer begins anew"
        return Finding("yes" if continued else "partly", f"{said}: {text[:40]}")
    return Finding("no", f"taken, and not continued: {text[:60]}")


GROUP = Group(
    "roles",
    (
        Probe("roles.developer", "the role developer is taken", _check_developer),
        Probe("roles.mid_system", "a system message within the conversation is taken", _check_mid_system),
        Probe("roles.two_systems", "two system messages at its beginning are taken", _check_two_systems),
        Probe("roles.same_role", "two user messages in a row are taken", _check_same_role),
        Probe("roles.empty_text", "a message without text is taken", _check_empty_text),
        Probe("roles.prefill", "a last assistant message is continued", _check_prefill),
    ),
)
