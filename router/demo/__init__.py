"""The built-in demo upstream: a real loopback HTTP server that speaks all three protocols, with no key or network.

`upstream` serves; `script` decides the reply; `messages`, `chat`, `responses` and `completions` encode it for their
protocols; `embeddings` and `catalog` are the other endpoints; `schema` builds tool arguments; `body` reads request
bodies; `refusals` has the errors. The same request always gets the same bytes.
"""

from router.demo.script import MODELS
from router.demo.upstream import Demo

#: The protocols it speaks.
PROTOCOLS = ("messages", "chat", "responses")

__all__ = ["MODELS", "PROTOCOLS", "Demo"]
