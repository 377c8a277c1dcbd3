"""Tells conversations apart by what was said in them so far.

Some upstreams number the ids of their calls anew in each conversation, so that an id alone does not name a call.
"""

import hashlib
from collections.abc import Iterable, Iterator

from router.ir import Block, Text, Thinking, ToolCall, ToolResult, Turn


def prefix_digests(turns: Iterable[Turn]) -> Iterator[str]:
    """A digest of what was said before each turn, and one more of the whole conversation.

    Left out is what clients change or drop when they send their history: reasoning, ids of calls, marks for caching,
    and system messages.
    """
    state = hashlib.blake2b(digest_size=16)
    for turn in turns:
        yield state.hexdigest()
        if turn.role == "system":
            continue
        said = "".join([f"{len(part)}:{part}" for part in _parts(turn.blocks)])
        state.update(said.encode("utf-8", "surrogatepass"))
    yield state.hexdigest()


def _parts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        if isinstance(block, Thinking):
            continue
        yield block.__class__.__name__
        if isinstance(block, Text):
            yield block.text
        elif isinstance(block, ToolCall):
            yield block.name
            yield block.arguments
        elif isinstance(block, ToolResult):
            yield from _parts(block.content)
        else:
            yield block.url or block.data
