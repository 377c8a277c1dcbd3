"""demo-full as a whole: from the body of a request to its reply."""

from router.demo.body import Object, as_json, as_text, objects
from router.demo.full.answer import decide
from router.demo.full.memory import Memory
from router.demo.full.read_chat import read_chat
from router.demo.full.read_gemini import read_gemini
from router.demo.full.read_messages import read_messages
from router.demo.full.read_responses import read_responses
from router.demo.full.request import require_objects
from router.demo.gemini.dialect import Gemini
from router.demo.messages import Messages
from router.demo.reply import Reply
from router.demo.responses import Responses, read_turns
from router.demo.script import Dialect
from router.demo.script import decide as echo


class Model:
    """demo-full, with its memory."""

    def __init__(self) -> None:
        self._memory = Memory()

    def answer(self, body: Object, dialect: Dialect) -> Reply:
        """The reply to a request. Raises BadRequest."""
        if isinstance(dialect, Responses):
            return self._respond(body, dialect)
        if isinstance(dialect, Gemini):
            return decide(read_gemini(body), self._memory)
        if isinstance(dialect, Messages):
            return decide(read_messages(body), self._memory)
        # The old completions and embeddings have none of its features.
        return decide(read_chat(body), self._memory) if "messages" in body else echo(dialect.ask)

    def _respond(self, body: Object, dialect: Responses) -> Reply:
        items, before = require_objects(read_turns(body), "input"), as_text(body.get("previous_response_id"))
        if before:
            items = [*self._memory.recall(before), *items]
        reply = decide(read_responses(body, items), self._memory)
        if body.get("store") is not False:
            self._memory.keep(dialect.id, [*items, *objects(as_json(dialect.make_output(reply)))])
        return reply
