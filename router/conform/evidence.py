"""What of an answer may stand in a card: redacted, of one line, short."""

import re
from collections.abc import Iterable

from router.net.control.request import clean
from router.redaction import KEYS, MARK, Redactor
from router.settings import Secret
from router.settings.kinds import NO_KEY
from router.store.home.home import TOKEN

EVIDENCE_BYTES = 200
_MARK = MARK.decode()
# What fairlead's own keys look like, of any home.
_OWN = re.compile(TOKEN.decode())


class Evidence:
    """Takes the secrets of one backend out of texts. secrets: those that its requests hold."""

    def __init__(self, secrets: Iterable[Secret]):
        self._redactor = Redactor(text for one in secrets if (text := one.reveal()) != NO_KEY)

    def redact(self, text: str) -> str:
        """The text without secrets, nor what looks like a key."""
        return _OWN.sub(_MARK, KEYS.sub(_MARK, self._redactor.redact_text(text)))

    def cut(self, text: str) -> str:
        """The text redacted, without what could control a terminal, and cut to EVIDENCE_BYTES."""
        line = clean(self.redact(text), EVIDENCE_BYTES)
        data = line.encode()
        if len(data) <= EVIDENCE_BYTES:
            return line
        return data[: EVIDENCE_BYTES - 3].decode("utf-8", "ignore") + "…"
