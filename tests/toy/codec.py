"""The toy protocol to and from the neutral form: texts, an output limit, and nothing else."""

from router.errors import BadRequest
from router.ir import Answer, Began, Ended, Fault, Request, Text, TextDelta, Turn, Usage
from router.wire.raw import sse
from router.wire.raw.json import json_values

from . import errors, usage

_ROLES = {"caller": "user", "model": "assistant"}
_BY = {role: by for by, role in _ROLES.items()}
_ENDS = {"end": "done", "length": "full"}
_STOPS = {end: stop for stop, end in _ENDS.items()}


def decode_request(data, ctx):
    """The neutral request; its model and whether it streams stand in the path."""
    turns = data.get("turns")
    if not isinstance(turns, list):
        raise BadRequest("turns: expected a list.")
    return Request(
        model="",
        system=(Text(data["rules"]),) if data.get("rules") else (),
        turns=tuple(Turn(_ROLES[turn["by"]], (Text(turn["say"]),), f"turns[{at}]") for at, turn in enumerate(turns)),
        max_tokens=data.get("most"),
    )


def encode_request(request, ctx):
    """Body and headers of a request."""
    if request.tools:
        ctx.note_dropped(ctx.caller_path("tools"))
    turns = [{"by": _BY[turn.role], "say": _text(turn.blocks)} for turn in request.turns if turn.role in _BY]
    body = {"turns": turns}
    if request.system:
        body["rules"] = _text(request.system)
    if request.max_tokens is not None:
        body["most"] = request.max_tokens
    return body, {"x-toy-version": "1"}


def _text(blocks):
    return "".join(block.text for block in blocks if isinstance(block, Text))


def decode_answer(data, ctx):
    """The neutral answer; None for what is none."""
    if "say" not in data:
        return None
    return Answer(
        id=str(data.get("no") or ""),
        model=str(data.get("from") or ""),
        blocks=(Text(str(data["say"])),),
        stop=_STOPS.get(data.get("end"), "end"),
        usage=usage.decode_usage(json_values.get_object(data, "meter"), Usage()),
    )


def encode_answer(answer, ctx):
    """The answer as the toy protocol has it."""
    return {
        "no": answer.id or ctx.new_id(),
        "from": ctx.name_model(answer.model),
        "say": _text(answer.blocks),
        "end": _ENDS.get(answer.stop, "done"),
        "meter": usage.encode_usage(answer.usage),
    }


class ToyDecoder:
    """Reads one upstream's stream."""

    pure_text = True

    def __init__(self, ctx):
        self._ctx = ctx
        self._begun = False
        self.ended = False
        self.usage = Usage()

    @property
    def finished(self):
        return self.ended

    def feed(self, name, data):
        self.usage = usage.decode_usage(json_values.get_object(data, "meter"), self.usage)
        if self.ended:
            return []
        fault = errors.decode_error(data, 0)
        if fault is not None:
            self.ended = True
            return [fault]
        out = [] if self._begun else [Began("", self._ctx.model, Usage())]
        self._begun = True
        if data.get("bit"):
            out.append(TextDelta(str(data["bit"])))
        if data.get("end"):
            self.ended = True
            out.append(Ended(_STOPS.get(data["end"], "end"), self.usage))
        return out

    def done(self):
        return []


class ToyEncoder:
    """Writes one client's stream."""

    def __init__(self, ctx):
        self._ctx = ctx

    def encode(self, event):
        if isinstance(event, TextDelta):
            return _frame({"bit": event.text})
        if isinstance(event, Ended):
            return _frame({"end": _ENDS.get(event.stop, "done"), "meter": usage.encode_usage(event.usage)})
        return sse.frame(errors.encode_error(event)[1]) if isinstance(event, Fault) else b""


def _frame(data):
    return sse.frame(json_values.encode_json(data).encode())
