"""The built-in demo upstream: a real loopback HTTP server that speaks all three protocols, with no key or network.

`upstream` serves; `script` decides what the model says; `messages`, `chat`, `responses` and `completions` give it each
protocol's shape; `embeddings` and `catalog` are the endpoints beside them; `schema` builds tool arguments; `body` walks
request bodies; `refusals` are the errors. The same request always gets the same bytes.
"""

from router.demo.script import MODELS
from router.demo.upstream import Demo

#: What it speaks.
PROTOCOLS = ("messages", "chat", "responses")

__all__ = ["MODELS", "PROTOCOLS", "Demo"]
