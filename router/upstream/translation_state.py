"""The state that the translations of one proxy share between requests: the key that signs sealed state, and a memory of
what upstreams must get back."""

import secrets

from router.settings import Secret
from router.wire.conversation.replay_memory import ReplayMemory
from router.wire.conversation.sealed_state import StateSealer, make_signer
from router.wire.conversation.search_memory import SearchMemory


class TranslationState:
    """The state of one proxy. key: signs sealed state, so that it is still accepted after a restart; None makes a key
    for this run."""

    def __init__(self, key: Secret | None = None):
        self._mac = make_signer(key.reveal().encode() if key else secrets.token_bytes(32))
        self.memory = ReplayMemory()
        self.searches = SearchMemory()

    def forget(self) -> None:
        """Forget what answers said. Requests under way keep the memory they began with."""
        self.memory = ReplayMemory()
        self.searches = SearchMemory()

    def seal(self, upstream: str, model: str) -> StateSealer:
        """The sealer that packs and unpacks the sealed state of an upstream and model."""
        return StateSealer(self._mac, upstream, model)
