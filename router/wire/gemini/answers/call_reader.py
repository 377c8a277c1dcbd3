"""Reads the calls of a Gemini answer.

A call comes whole, in one part. Only where a request asked for it, Vertex sends it in pieces: the name first, with
`willContinue`; then arguments by their places; then an empty object, which may be missing.
"""

import json
from typing import cast

from router.errors import BadRequest
from router.ir import CallBegan, CallDelta, Event, Redacted
from router.wire.conversation.identifiers import AnswerCallIds
from router.wire.gemini.answers.partial_arguments import PartialArguments
from router.wire.gemini.signatures import wrap_signature
from router.wire.neutral.answer_bounds import CALLS, PARTS, AnswerCounts, check_length
from router.wire.neutral.context import Context
from router.wire.raw.json import json_values
from router.wire.raw.json.json_values import Json

_READ = frozenset(("id", "name", "args", "partialArgs", "willContinue"))


class CallReader:
    """The calls of one answer."""

    def __init__(self, ctx: Context, counts: AnswerCounts):
        self._ctx = ctx
        self._counts = counts
        self._ids = AnswerCallIds(ctx.call_ids, ctx.new_id)
        # The call that comes in pieces: its number, its name, and its arguments so far.
        self._open: tuple[int, str, PartialArguments] | None = None
        #: How many calls have begun.
        self.started = 0

    def read(self, call: Json, signature: str, out: list[Event]) -> None:
        """Read one `functionCall`, with the signature beside it. Raises TooMany."""
        self._ctx.note_unread(call, _READ, "functionCall.")
        name = call.get("name")
        if isinstance(name, str) and name:
            self.finish(out)
            self._begin(call, name, signature, out)
        elif self._open is None:
            # An empty object ends what has ended before.
            if call.get("args") or call.get("partialArgs"):
                self._ctx.note_dropped("functionCall without a name")
        else:
            self._add(call, self._open[2])
            if call.get("willContinue") is not True:
                self.finish(out)

    def finish(self, out: list[Event]) -> None:
        """End the call that comes in pieces, if there is one."""
        if self._open is None:
            return
        index, name, arguments = self._open
        self._open = None
        if arguments.lost:
            self._ctx.note_weakened(f"tool call {name}")
        out.append(CallDelta(index, _write_arguments(arguments.value)))

    def _begin(self, call: Json, name: str, signature: str, out: list[Event]) -> None:
        self._counts.add(CALLS)
        if signature:
            out.append(Redacted(wrap_signature(signature)))
        index, self.started = self.started, self.started + 1
        found_id = call.get("id")
        call_id = self._ids.give(found_id if isinstance(found_id, str) else "")
        name = self._ctx.names.decode(name)
        out.append(CallBegan(index, call_id, name))
        if call.get("willContinue") is True or isinstance(call.get("partialArgs"), list):
            self._open = index, name, PartialArguments(self._counts)
            self._add(call, self._open[2])
            if call.get("willContinue") is not True:
                self.finish(out)
            return
        out.append(CallDelta(index, _write_arguments(json_values.get_object(call, "args"))))

    def _add(self, call: Json, arguments: PartialArguments) -> None:
        given = call.get("args")
        if isinstance(given, dict):
            arguments.value |= cast("Json", given)
        pieces = call.get("partialArgs")
        check_length(pieces, PARTS)
        for piece in cast("list[object]", pieces) if isinstance(pieces, list) else []:
            if isinstance(piece, dict):
                arguments.add(cast("Json", piece))


def _write_arguments(arguments: Json) -> str:
    """The arguments as compact JSON in the order in which the model wrote them; halves of characters as escapes."""
    try:
        return json_values.encode_json(arguments)
    except BadRequest:
        return json.dumps(arguments, separators=(",", ":"))
