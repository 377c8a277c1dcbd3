"""Decides what demo-full answers."""

import re
from dataclasses import replace

from router.demo.body import as_object, as_text, tokens
from router.demo.full.memory import Memory
from router.demo.full.request import Request, Turn, check_choice, check_results
from router.demo.full.seal import seal
from router.demo.reply import Part, Reply, Tool, Usage
from router.demo.schema import example
from router.demo.script import NO_TEXT, WINDOW, call, choose, compact, list_harmless
from router.errors import ContextOverflow

_PARALLEL = 2
_CODE_WORD = re.compile(r"code word is \"?([\w-]{1,100})")
# A grammar that takes a text as it stands, perhaps among others.
_LITERAL = re.compile(r"start ?: ?\"([^\"\\\n]{1,200})\" ?(?:\||$)", re.MULTILINE)
_LETTERS = re.compile(r"letters from ([A-Z]) to ([A-Z])\b")
_THOUGHT = "I look for code words, and repeat the question where there is none."


def decide(request: Request, memory: Memory) -> Reply:
    """The reply to a request. Raises BadRequest."""
    check_results(request.turns)
    check_choice(request.tools, request.choice)
    usage = memory.cache(request)
    if usage.read > WINDOW:
        raise ContextOverflow(_format_overflow(request.protocol, usage.read))
    if request.compacts:
        return Reply(parts=(Part(kind="compaction", text=seal(_summarize(request.turns))),), usage=usage)
    thoughts = (Part(kind="thought", text=_THOUGHT, proof=seal(_THOUGHT)),) if request.thinks else ()
    calls = _choose_calls(request)
    if calls:
        if request.signs_calls:
            calls[0] = replace(calls[0], proof=seal(calls[0].text))
        return Reply(parts=(*thoughts, *calls), finish="tool_calls", usage=usage)
    question = _find_question(request.turns)
    searches = request.searches and ("search" in question.lower() or _is_forced(request))
    found = (Part(kind="search", text=question),) if searches else ()
    return _finish(request, (*thoughts, *found), _compose(request), usage)


def _finish(request: Request, parts: tuple[Part, ...], text: str, usage: Usage) -> Reply:
    """The reply with a text, up to a stop sequence or the limit."""
    places = [(at, stop) for stop in request.stops if (at := text.find(stop)) >= 0]
    end, stop = min(places, default=(len(text), None))
    text = text[:end]
    thought = sum(tokens(len(part.text.encode())) for part in parts)
    room = None if request.limit is None else max(0, request.limit - thought) * 36 // 10
    raw = text.encode()
    short = room is not None and len(raw) > room
    if short:
        text = raw[:room].decode(errors="ignore")
    return Reply(
        parts=(*parts, Part(kind="text", text=text)),
        finish="length" if short else "stop_sequence" if stop is not None else "stop",
        stop=None if short else stop,
        copies=request.copies,
        logprobs=request.logprobs,
        usage=usage,
    )


def _compose(request: Request) -> str:
    """The text of the answer: JSON where that is asked for, else the code words and what is seen, else what a tool
    returned, or what was said last."""
    if request.format is not None:
        return compact(example(request.format))
    turns = request.turns
    last = turns[-1]
    begun = last.text if last.role == "assistant" else ""
    text = ", ".join(_list_words(turns)) or _write_letters(turns)
    if text:
        return text.removeprefix(begun) if text.startswith(begun) else f" {text}"
    if last.role == "tool":
        return f"The tool returned: {last.text}" if last.text else "The tool returned nothing."
    return _find_question(turns) or NO_TEXT


def _list_words(turns: list[Turn]) -> list[str]:
    """Code words and what is seen, each once, in the order of the conversation; the answers are left out."""
    found: list[str] = []
    for turn in turns:
        if turn.role != "assistant":
            found += _CODE_WORD.findall(turn.text)
            for seen in turn.seen:
                found += _CODE_WORD.findall(seen) or [seen]
    return list(dict.fromkeys(found))


def _write_letters(turns: list[Turn]) -> str:
    """The letters that the last question asks for, '' where it asks for none."""
    asked = _LETTERS.search(_find_question(turns))
    return " ".join(map(chr, range(ord(asked[1]), ord(asked[2]) + 1))) if asked else ""


def _summarize(turns: list[Turn]) -> str:
    words = _list_words(turns)
    return " ".join(f"The code word is {word}." for word in words) or _find_question(turns)


def _find_question(turns: list[Turn]) -> str:
    """The last user text, '' where there is none."""
    return next((turn.text for turn in reversed(turns) if turn.role == "user" and turn.text.strip()), "")


def _is_forced(request: Request) -> bool:
    choice = as_text(as_object(request.choice).get("type")) or as_text(request.choice)
    return choice not in ("", "auto", "none")


def _choose_calls(request: Request) -> list[Part]:
    """The calls of tools: a tool that is named, or harmless ones, not again after a result unless that is demanded."""
    named = as_object(request.choice).get("name") == "web_search"
    if named or (request.turns[-1].role == "tool" and not _is_forced(request)):
        return []
    first = choose(request.tools, request.choice)
    if first is None:
        return []
    choice = as_object(request.choice)
    by_name = choice.get("name") or as_object(choice.get(as_text(choice.get("type")))).get("name")
    several = [first] if by_name or not request.parallel else list_harmless(request.tools)[:_PARALLEL]
    question = _find_question(request.turns)
    return [_call(tool, question) for tool in several]


def _call(tool: Tool, question: str) -> Part:
    literal = _LITERAL.search(tool.grammar)
    return Part(kind="call", tool=tool, text=literal[1]) if tool.custom and literal else call(tool, question)


def _format_overflow(protocol: str, count: int) -> str:
    """The error of a prompt that is too long, in the words of the protocol's vendor."""
    if protocol == "messages":
        return f"prompt is too long: {count} tokens > {WINDOW} maximum"
    if protocol == "gemini":
        return f"The input token count ({count}) exceeds the maximum number of tokens allowed ({WINDOW})."
    return (
        f"This model's maximum context length is {WINDOW} tokens. However, your messages resulted in {count} tokens. "
        "Please reduce the length of the messages."
    )
