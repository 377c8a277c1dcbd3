"""What several groups of probes ask and judge alike."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from router.conform.bench import MOST_OUTPUT, Bench, read_answer
from router.conform.client import Reply
from router.conform.record import Finding, Unknown
from router.ir import Answer, Text, ToolCall
from router.wire.raw.json.json_values import Json

#: Has a model write more words than one chunk holds.
COUNTING = "Count from one to twenty in words, separated by spaces. Write nothing else."
#: In the order in which a probe that can be asked in any protocol chooses.
ANY = ("chat", "responses", "messages")

Turn = tuple[str, str]


def make_turns(bench: Bench, protocol: str, turns: Sequence[Turn], *, output: int = 16) -> Json:
    """A request with a conversation. turns: role and text of each."""
    messages = [{"role": role, "content": text} for role, text in turns]
    place = "input" if protocol == "responses" else "messages"
    return {**bench.make_request(protocol, output=output), place: messages}


def is_answer(reply: Reply, protocol: str) -> bool:
    """True for a success in the form of the protocol, with anything that a model wrote, if only counted."""
    found = read_answer(reply, protocol) if reply.ok else None
    if not isinstance(found, Answer):
        return False
    # A call without a name is none.
    written = [block for block in found.blocks if not isinstance(block, ToolCall) or block.name]
    return bool(written or found.usage.output)


def judge_taken(reply: Reply, protocol: str, *, flags: Mapping[bool, Mapping[str, object]] | None = None) -> Finding:
    """Whether a request was taken: an answer is `yes`, a refusal `no`. flags: those of the finding, by that."""
    taken = is_answer(reply, protocol)
    known = flags.get(taken) if flags is not None and (taken or reply.refused) else None
    if taken:
        return Finding("yes", f"{reply.status}, answered", known or {})
    return Finding("no", flags=known or {})


def read_whole_text(reply: Reply, protocol: str) -> str:
    """The text of an answer. Raises Unknown where its limit ended it before its text began, as with a model that
    reasons."""
    found = read_answer(reply, protocol)
    if not isinstance(found, Answer):
        return ""
    text = "".join(block.text for block in found.blocks if isinstance(block, Text))
    if not text.strip() and found.stop == "length":
        raise Unknown(f"{MOST_OUTPUT} tokens were used up before its text began")
    return text


def judge_each(verdicts: Mapping[str, str], good: str) -> Finding:
    """One finding for several protocols. verdicts: protocol -> what is wrong there, '' for nothing. good: the evidence
    where all are right."""
    wrong = {name: said for name, said in verdicts.items() if said}
    if not wrong:
        return Finding("yes", f"{good} ({', '.join(verdicts)})")
    said = "; ".join(f"{name}: {what}" for name, what in wrong.items())
    return Finding("no" if len(wrong) == len(verdicts) else "partly", said)


def list_spoken(bench: Bench, protocols: Iterable[str] = ANY) -> list[str]:
    """Those of the protocols that the backend speaks. Raises Unknown where it speaks none."""
    found = [name for name in protocols if name in bench.backend.protocols and name not in bench.missing]
    if not found:
        bench.choose(*protocols)
    return found


async def stream_all(bench: Bench, names: Sequence[str]) -> dict[str, Reply]:
    """A stream of each protocol, each asked for once in a run: the probes of streams look at the same ones. Raises
    Unknown."""
    return {name: await bench.share(f"stream.{name}", partial(_ask_stream, bench, name)) for name in names}


async def _ask_stream(bench: Bench, name: str) -> Reply:
    return await bench.ask(name, bench.make_request(name, COUNTING, output=MOST_OUTPUT, stream=True))
