"""The calls of a Chat answer."""

from router.wire.raw.json.places import Place, escape, find_members, find_root, iter_elements, read_index, read_text
from router.wire.raw.sse import frame
from router.wire.tool_context.calls import Call, Change, ToolContext
from router.wire.tool_context.events import AnswerFiller

_CUT = ("length", "content_filter")
_HEAD = ("id", "object", "created", "model", "system_fingerprint")


class ChatFiller(AnswerFiller):
    """Fills the functions that a Chat answer calls, those of the older `function_call` too."""

    needles = (b'"tool_calls"', b'"function_call"')

    def __init__(self, context: ToolContext):
        super().__init__(context)
        # Choice -> the last call that came without an index.
        self._last: dict[int, int] = {}

    def read(self, text: str, change: Change) -> None:
        """Read the choices of a chunk, or of a whole answer. Raises Malformed."""
        top = find_members(text, find_root(text), ("choices", *_HEAD))
        for place in iter_elements(text, top.get("choices")):
            choice = find_members(text, place, ("index", "delta", "message", "finish_reason"))
            number = read_index(text, choice.get("index")) or 0
            said = find_members(text, choice.get("message") or choice.get("delta"), ("tool_calls", "function_call"))
            for one in iter_elements(text, said.get("tool_calls")):
                self._read_call(text, number, one, change)
            if "function_call" in said:
                self._read_function(text, (number, "function_call"), "", said["function_call"], change)
            reason = read_text(text, choice.get("finish_reason"))
            if reason or "message" in choice:
                self._end_choice(text, number, change, top, whole=reason not in _CUT)

    def _read_call(self, text: str, number: int, place: Place, change: Change) -> None:
        call = find_members(text, place, ("index", "id", "function"))
        if "function" not in call:
            return
        index = read_index(text, call.get("index"))
        if index is None:
            # Some count no calls: one that names a function is a new one.
            index = self._last.get(number, 0)
            if "name" in find_members(text, call["function"], ("name",)):
                index -= 1
            self._last[number] = index
        self._read_function(text, (number, index), read_text(text, call.get("id")) or "", call["function"], change)

    def _read_function(self, text: str, key: tuple[int, int | str], name: str, place: Place, change: Change) -> None:
        """Read a piece of a call. name: its id."""
        function = find_members(text, place, ("name", "arguments"))
        tool = "", read_text(text, function.get("name")) or ""
        call = self.calls.get(key)
        if tool[1] and (call is None or (name and name != call.id) or call.arguments.over):
            self.end_call(key)
            values = self.context.find_values(tool)
            if not values:
                return
            call = Call(tool, values, name, str(key[1]))
            call.last = change, function["name"].end, ',"arguments":"', '"'
            self.begin_call(key, call)
        if call is not None and read_text(text, function.get("arguments")) is not None:
            self.fill_piece(call, text, function["arguments"], change)

    def _end_choice(self, text: str, number: int, change: Change, top: dict[str, Place], *, whole: bool) -> None:
        """End the calls of a choice. whole: none was cut off."""
        for key in [key for key in self.calls if isinstance(key, tuple) and key[0] == number]:
            call = self.calls[key]
            arguments = self.fill_blank(call, change) if whole else None
            if arguments is not None:
                head = "".join(f'"{name}":{text[top[name].begin : top[name].end]},' for name in _HEAD if name in top)
                function = f'{{"arguments":"{escape(arguments)}"}}'
                said = f'"tool_calls":[{{"index":{call.index},"function":{function}}}]'
                if call.index == "function_call":
                    said = f'"function_call":{function}'
                choice = f'{{"index":{number},"delta":{{{said}}},"finish_reason":null}}'
                event = f'{{{head}"choices":[{choice}]}}'
                change.before.append(frame(event.encode("utf-8", "surrogateescape")))
            self.end_call(key)
