"""What the translations of one proxy share from one request to the next: the key that signs carriers, and a memory."""

import secrets

from router.settings import Secret
from router.wire.neutral.replay_memory import ReplayMemory
from router.wire.neutral.sealed_state import StateSealer, make_signer

#: The file of the key, in the home.
KEY = "carrier.key"


class TranslationState:
    """key: what carriers are signed with, so that those of an earlier run are still known; None for one of this run."""

    def __init__(self, key: Secret | None = None):
        self._mac = make_signer(key.reveal().encode() if key else secrets.token_bytes(32))
        self.memory = ReplayMemory()

    def seal(self, upstream: str, model: str) -> StateSealer:
        """What packs and unpacks the carriers of an upstream and model."""
        return StateSealer(self._mac, upstream, model)
