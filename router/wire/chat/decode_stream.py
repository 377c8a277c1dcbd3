"""Decodes a Chat stream to neutral events.

Rules of this file: an error wins over everything beside it; the first finish reason counts; calls are told apart by id
first, then by index, then by order; a call begins when its name is known; the end is [DONE], the usage event behind
the finish reason, or the end of the body when a finish reason was seen.
"""

import msgspec

from router.ir import (
    Began,
    CallBegan,
    CallDelta,
    Ended,
    Event,
    Fault,
    Redacted,
    RefusalDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    Usage,
)
from router.wire import openai
from router.wire.chat import usage
from router.wire.neutral.context import Context
from router.wire.neutral.wrapped_calls import WRAPPERS, unwrap_calls
from router.wire.raw import json_values
from router.wire.raw.json_values import Json

_STOPS: dict[str, Stop] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "context",
    "content_filter": "refusal",
    "safety": "refusal",
}
_CALLED = ("tool_calls", "function_call")
_FAULTS = ("error", "insufficient_system_resource", "abort")
_PLAIN = ("reasoning_content", "reasoning")
BESIDE = "extra_content"
NO_FINISH = "The upstream's stream ended without a finish_reason."


class _Call:
    """One call that is being streamed."""

    __slots__ = ("beside", "held", "id", "index", "name")

    def __init__(self, call_id: str):
        self.id = call_id
        #: Its number among the calls that have begun, -1 before it has begun.
        self.index = -1
        self.name = ""
        #: Fragments of its arguments that came before it could begin.
        self.held: list[str] = []
        #: Extra content beside the call, to be replayed with it.
        self.beside: Json = {}


class ChatDecoder:
    """The state of one stream."""

    def __init__(self, ctx: Context):
        self._ctx = ctx
        self._begun = False
        self.usage = Usage()
        self._finish = ""
        self._stopped_by = ""
        self._thought: list[str] = []
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._started = 0
        self.ended = False

    @property
    def finished(self) -> bool:
        """True when a finish reason was seen: then the end of the body is a good end."""
        return bool(self._finish)

    def feed(self, name: str, data: Json) -> list[Event]:
        """The events that one chunk brings."""
        choices = data.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None  # pyright: ignore[reportUnknownVariableType]
        only: Json = choice if isinstance(choice, dict) else {}  # pyright: ignore[reportUnknownVariableType]
        counted = False
        if data.get("usage") or only.get("usage") or "x_groq" in data:
            # Usage counts behind the end too, and beside an error. Nearly no chunk has any: those cost no call.
            counted = self._read_usage(data, only)
        if self.ended:
            return []
        if data.get("error") or name == "error":
            self.ended = True
            fault = openai.decode_error(data, 0) or openai.decode_error({"error": data}, 0)
            return [fault] if fault else []
        out: list[Event] = []
        if not self._begun and (choices or data.get("id")):
            self._begun = True
            out.append(Began(str(data.get("id") or ""), str(data.get("model") or ""), Usage()))
        if only:
            self._read_choice(only, out)
        if counted and choice is None and self._finish:
            out += self.done()
        return out

    def _read_usage(self, data: Json, choice: Json) -> bool:
        """Read the usage of a chunk; False when it holds none."""
        found = usage.find_usage(data, choice)
        if found:
            self.usage = usage.decode_usage(found, self.usage, self._ctx.profile)
        return bool(found)

    def done(self) -> list[Event]:
        """[DONE], or the end of the body."""
        if self.ended:
            return []
        self.ended = True
        if not self._finish and not (self._begun and self._ctx.profile.finish_optional):
            return [Fault(500, "api_error", NO_FINISH)]
        self._finish = self._finish or "stop"
        out: list[Event] = []
        for call in [one for one in self._calls if one.index < 0]:
            self._end_call(call, out)
        if self._finish in _FAULTS:
            return [*out, Fault(500, "api_error", f"The upstream ended the answer with {self._finish}.")]
        if self.usage.input is None and self.usage.output is None:
            self._ctx.note_weakened("usage")
        out.append(Ended(self._resolve_stop(), self.usage, self._stopped_by))
        return out

    def _resolve_stop(self) -> Stop:
        finish = self._finish
        if finish in _STOPS:
            return _STOPS[finish]
        if self._started:
            return "tool"
        if self._stopped_by:
            return "sequence"
        if finish != "stop" and finish not in _CALLED:
            self._ctx.note_weakened(f"finish_reason {finish[:40]}")
        return "end"

    def _read_choice(self, choice: Json, out: list[Event]) -> None:
        delta = choice.get("delta")
        if isinstance(delta, dict) and delta:
            self._read_delta(delta, out)  # pyright: ignore[reportUnknownArgumentType]
        finish = choice.get("finish_reason")
        if isinstance(finish, str) and finish and (not self._finish or (self._finish == "stop" and finish in _CALLED)):
            self._finish = finish
            stopped_by = choice.get("stop_reason")
            self._stopped_by = stopped_by if isinstance(stopped_by, str) else ""

    def _read_delta(self, delta: Json, out: list[Event]) -> None:
        content = delta.get("content")
        if content.__class__ is str and len(delta) <= 2:
            # The form of nearly all chunks: text, and at most a role beside it.
            if content:
                out.append(TextDelta(content))  # pyright: ignore[reportArgumentType]
            if len(delta) == 1 or "role" in delta:
                return
            content = None
        thought = read_reasoning(delta)
        if thought and not self._was_said(delta, thought):
            out.append(ThinkingDelta(thought))
        if isinstance(content, str):
            if content:
                out.append(TextDelta(content))
        elif isinstance(content, list):
            decode_parts(content, out)  # pyright: ignore[reportUnknownArgumentType]
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            out.append(RefusalDelta(refusal))
        calls = delta.get("tool_calls")
        for entry in calls if isinstance(calls, list) else ():  # pyright: ignore[reportUnknownVariableType]
            if isinstance(entry, dict):
                self._read_call(entry, out)  # pyright: ignore[reportUnknownArgumentType]
        legacy = delta.get("function_call")
        if isinstance(legacy, dict):
            self._read_call({"index": 0, "function": legacy}, out)

    def _was_said(self, delta: Json, thought: str) -> bool:
        """True for a whole thought beside its signature, if its text was streamed as plain text before. Fairlead writes
        reasoning in this form, and so do other servers that sign at the end."""
        if any(delta.get(name) for name in _PLAIN):
            self._thought.append(thought)
            return False
        said, self._thought = "".join(self._thought), []
        return said == thought

    def _read_call(self, entry: Json, out: list[Event]) -> None:
        call = self._find_call(entry)
        function = json_values.get_object(entry, "function") or json_values.get_object(entry, "custom")
        name = function.get("name")
        if isinstance(name, str) and name and call.index < 0 and name != call.name:
            call.name += name
        arguments = function.get("arguments", function.get("input"))
        if isinstance(arguments, dict):
            fragment = msgspec.json.encode(arguments).decode()
        else:
            fragment = arguments if isinstance(arguments, str) else ""
        if call.index >= 0:
            if fragment:
                out.append(CallDelta(call.index, fragment))
            return
        if fragment:
            call.held.append(fragment)
        call.beside = json_values.get_object(entry, BESIDE) or call.beside
        if call.name and (call.held or call.id) and not self._wraps(call):
            self._begin_call(call, out)

    def _find_call(self, entry: Json) -> _Call:
        """The call an entry continues, or a new one. Ids take precedence, since some gateways send wrong indices."""
        call_id, index = entry.get("id"), entry.get("index")
        call: _Call | None = None
        if isinstance(call_id, str) and call_id:
            call = next((one for one in self._calls if one.id == call_id), None)
        elif isinstance(index, int):
            call = self._by_index.get(index)
        elif self._calls and not json_values.get_object(entry, "function").get("name"):
            call = self._calls[-1]
        if call is None:
            call = _Call(call_id if isinstance(call_id, str) else "")
            self._calls.append(call)
        if isinstance(index, int):
            self._by_index[index] = call
        return call

    def _wraps(self, call: _Call) -> bool:
        """True for a call that may wrap several: it is unwrapped when it is whole."""
        return call.name in WRAPPERS and self._ctx.names.decode(call.name) not in self._ctx.declared_tools

    def _end_call(self, call: _Call, out: list[Event]) -> None:
        """End a call that has not begun when the stream ends."""
        if not call.name:
            self._ctx.note_dropped("tool call without a name")
            return
        sent = {self._ctx.names.encode(name, self._ctx.profile.name_limit) for name in self._ctx.declared_tools}
        inner = unwrap_calls("".join(call.held), sent) if self._wraps(call) else []
        if not inner:
            self._begin_call(call, out)
        for at, (name, arguments) in enumerate(inner):
            part = _Call(f"{call.id}_{at}" if call.id else "")
            part.name, part.held = name, [arguments]
            self._calls.append(part)
            self._begin_call(part, out)

    def _begin_call(self, call: _Call, out: list[Event]) -> None:
        call.index = self._started
        self._started += 1
        call_id = call.id or f"call_{self._ctx.new_id()}"
        if any(one is not call and one.index >= 0 and one.id == call_id for one in self._calls):
            call_id = f"{call_id}_{call.index + 1}"
        call.id = call_id
        if call.beside:
            # Gemini's signature of the call: it returns with the history, and is sent with the call again.
            out.append(Redacted(msgspec.json.encode({BESIDE: call.beside}).decode()))
        out.append(CallBegan(call.index, call_id, self._ctx.names.decode(call.name)))
        if call.held:
            out.append(CallDelta(call.index, "".join(call.held)))
            call.held.clear()


def read_reasoning(holder: Json) -> str:
    """The reasoning text of a delta or message: of the first field that has any, since some servers send it twice."""
    details = holder.get("reasoning_details")
    if isinstance(details, list):
        said = ""
        for one in details:  # pyright: ignore[reportUnknownVariableType]
            if isinstance(one, dict):
                text: object = one.get("text") or one.get("summary")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
                said += text if isinstance(text, str) else ""
        if said:
            return said
    for name in _PLAIN:
        value = holder.get(name)
        if isinstance(value, str) and value:
            return value
    return ""


def decode_parts(content: list[object], out: list[Event]) -> None:
    """Decode content that is a list of parts (Mistral): text, and reasoning with parts of its own."""
    for part in content:
        if not isinstance(part, dict):
            continue
        entry: Json = part  # pyright: ignore[reportUnknownVariableType]
        inner = entry.get("thinking")
        if entry.get("type") == "thinking" and isinstance(inner, list):
            said = "".join(str(one.get("text") or "") for one in inner if isinstance(one, dict))  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType, reportUnknownVariableType]
            if said:
                out.append(ThinkingDelta(said))
        elif isinstance(entry.get("text"), str) and entry["text"]:
            out.append(TextDelta(str(entry["text"])))
