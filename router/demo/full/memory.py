"""What demo-full remembers: the prompts that it saw, for its cache, and its responses. The oldest are forgotten."""

import hashlib
from collections import OrderedDict

from router.demo.body import Object, tokens, weigh
from router.demo.full.request import Request, encode_block
from router.demo.reply import Usage
from router.errors import BadRequest

#: Tokens of the shortest prompt that is cached.
CACHE_MINIMUM = 1024
_PROMPTS = 4096
_RESPONSES = 256


class ResponseUnknown(BadRequest):
    """400: a request goes on from a response that is not kept."""

    code = "previous_response_not_found"


class Memory:
    """The memory of one demo."""

    def __init__(self) -> None:
        #: Hash of a prompt's beginning -> nothing; the newest last.
        self._prompts: OrderedDict[bytes, None] = OrderedDict()
        self._responses: OrderedDict[str, list[Object]] = OrderedDict()

    def cache(self, request: Request) -> Usage:
        """The usage of a prompt by what was cached before, and cache it."""
        size = cached = stored = 0
        digest = hashlib.sha256(request.protocol.encode())
        for block in request.blocks:
            size += weigh(block.content)
            # With its length, so that a block's end cannot move.
            encoded = encode_block(block.content)
            digest.update(b"%d:%b" % (len(encoded), encoded))
            key = digest.digest()
            if key in self._prompts:
                self._prompts.move_to_end(key)
                cached = tokens(size)
            elif tokens(size) >= CACHE_MINIMUM and (block.marked or not request.marks_only):
                stored = tokens(size)
                self._prompts[key] = None
        while len(self._prompts) > _PROMPTS:
            self._prompts.popitem(last=False)
        return Usage(tokens(size), cached, max(0, stored - cached))

    def keep(self, name: str, items: list[Object]) -> None:
        """Keep a response, with all that came before it."""
        self._responses[name] = items
        while len(self._responses) > _RESPONSES:
            self._responses.popitem(last=False)

    def recall(self, name: str) -> list[Object]:
        """The items of a response and of all before it. Raises ResponseUnknown."""
        if name not in self._responses:
            raise ResponseUnknown(f"The response '{name[:100]}' is not kept here.")
        return self._responses[name]
