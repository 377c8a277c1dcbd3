"""The built-in demo upstream: a real loopback HTTP server that speaks all four protocols, with no key or network.

`upstream` serves; `script` decides the reply, a `reply.Reply`; `messages`, `chat`, `responses`, `gemini` and
`completions` encode it for their protocols; `embeddings` and `catalog` are the other endpoints; `schema` builds tool
arguments; `body` reads request bodies; `refusals` has the errors; `full` is the model that has every feature. The same
request always gets the same bytes, but from that model, which has a memory.
"""

from router.demo.script import FULL, MODELS
from router.demo.upstream import Demo

#: The protocols it speaks.
PROTOCOLS = ("messages", "chat", "responses", "gemini")

__all__ = ["FULL", "MODELS", "PROTOCOLS", "Demo"]
