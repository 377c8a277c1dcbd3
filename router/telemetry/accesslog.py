"""The access log: records go into a bounded ring, one thread writes them.

Nothing on the request path writes to a terminal or a file: a pipe that is not read would stop every request. When the
ring is full or a write fails, lines are dropped and counted. The thread writes to file descriptors, not to Python's
streams, so that a stuck write cannot hold a lock the interpreter needs at its end.
"""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from router.ir import Usage
from router.policy.accounts.attempt import AttemptRecord, BindingRecord
from router.policy.cache.causes import CacheLoss
from router.policy.cache.sessions import Comparison
from router.policy.grants.key_form import hide_keys
from router.redaction import KEYS, NO_SECRETS, Redactor
from router.settings import Secret
from router.settings.secret_headers import SHORTEST
from router.settings.secret_names import is_secret_name
from router.store.history.derive import compile_log
from router.telemetry.log_file import LogFile

RING = 10_000
BODY_SHOWN = 8192
# A little more is kept than is shown, so that a secret across the end of the shown part is still recognised.
BODY_KEPT = BODY_SHOWN + 512
SECRETS = 1024
_BATCH_SECONDS = 0.05
#: What a request may wait for before it is sent: a place and an account of a backend (its name follows), a key that is
#: fetched, the time of its next attempt, room in a budget, a web search.
QUEUE, KEY, RETRY, BUDGET, SEARCHING = "queue", "key", "retry", "budget", "web search"
#: The same for a place in the limits of a client key, whose name follows.
KEY_LIMIT = "limit"
#: The same for the answer to an equal request, which may be kept.
EQUAL = "equal request"
#: What the cache of answers gave: an answer, or none yet.
HIT, MISS = "hit", "miss"

# Values of JSON strings, also in JSON inside JSON; the last one may be cut off by the bound. The names before them are
# compared afterwards (_redact_value): as part of the pattern they would be tried at every character.
_VALUES = re.compile(r'((?<!\\)\\*+"\s*+:\s*+\\*+")(?:[^"\\]++|\\.)*+')
_LONGEST_NAME = 64
# Models sign their thinking; refusals are about it.
_SIGNED = ("signature", "Signature")
# A pattern holds the interpreter for as long as its text takes: half a millisecond for so many characters.
_PIECE = 16_384


def _format_utc(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1000):03d}Z"


_log_fields = compile_log(utc=_format_utc)


class RequestRecord(msgspec.Struct, gc=False):
    """One request, filled in until it ends. store/history/columns.py declares what of it is logged and recorded."""

    id: str
    #: Seconds since 1970.
    started: float
    method: str
    path: str
    protocol: str = ""
    #: The model that was asked for, and the one the backend was asked for; None when there was none.
    model: str | None = None
    sent_model: str | None = None
    backend: str = ""
    account: str = ""
    #: The step of routing that found the backend; and what chose it, where a rule or an alias of the user did.
    route: str = ""
    chosen: str = ""
    status: int = 0
    error: str = ""
    #: The text of the error, at most 200 bytes, without secrets.
    text: str = ""
    attempts: int = 0
    stream: bool = False
    #: Seconds from the arrival to the first byte of the answer, and to its end.
    first_byte: float | None = None
    total: float = 0.0
    usage: Usage = msgspec.field(default_factory=Usage)
    #: Whether the counts of tokens are an estimate.
    estimated: bool = False
    client: str = ""
    #: The headers of the answer about the account's limits (rate_limits.limit_headers), parsed when they are needed.
    limits: Mapping[bytes, bytes] = {}
    #: The headers of the request about the client's agents (agent_hints.hint_headers), read when they are needed.
    hints: Mapping[bytes, bytes] = {}
    #: Seconds spent waiting for an account, or for room in a budget.
    queued: float = 0.0
    #: What it waits for now; '' while it does not, or waits for the backend's answer.
    waits: str = ""
    tag: str = ""
    #: The name of the client key, '' for none.
    key: str = ""
    #: The caller's `traceparent` as it came, '' without one.
    trace: str = ""
    #: The attempts, as far as they are known.
    tries: list[AttemptRecord] = []
    binding: BindingRecord | None = None
    #: Cached tokens that were left behind when the account was changed.
    given_up: int | None = None
    #: The prompt, and what changed since the turn before; until the request ends.
    prompt: Comparison | None = None
    #: What the provider's cache should have had and did not; None for nothing.
    cache_loss: CacheLoss | None = None
    #: What the cache of answers gave (HIT, MISS); '' where it was not asked. Of an answer from there, the seconds since
    #: it came, and what it cost then, in billionths of a US dollar, None for an unknown price.
    answer_cache: str = ""
    answer_age: int | None = None
    saved_cost: int | None = None
    #: The length of the body.
    request_bytes: int = 0
    #: The bytes of text in it, known once an estimate of its tokens was asked for.
    text_bytes: int | None = None
    #: An estimate of the output tokens, by the part of the answer that came.
    guess: int = 0
    #: The output tokens that it may have, as the request limits them or as they are usual; None where unknown.
    expected: int | None = None
    #: The service tier that it asks for, and in words what of its cost no answer tells; known where a budget is set.
    tier: str = ""
    uncounted: str = ""
    #: The URL by which the backend's prices are found; known at the request's end.
    root: str = ""
    #: What a translation could not carry over, as `path=how; …`; known at the request's end.
    losses: str = ""
    notes: tuple[str, ...] = ()
    request_body: bytes = b""
    answer_body: bytes = b""

    def note(self, *texts: str) -> None:
        """Add notes on what was done to the request; one that several attempts have in common is added once."""
        for text in texts:
            if text not in self.notes:
                self.notes += (text,)

    def fields(self) -> dict[str, object]:
        """The fields of the JSON log line; bodies are not among them."""
        return _log_fields(self)

    def line(self) -> str:
        """The line that -v prints."""
        served = f"{self.backend}/{self.account}" if self.backend else "-"
        tokens = ""
        if self.usage.input is not None or self.usage.output is not None:
            tokens = f"  in {self.usage.input or 0}  cached {self.usage.cache_read or 0}  out {self.usage.output or 0}"
        parts = (
            time.strftime("%H:%M:%S", time.localtime(self.started)),
            self.id,
            _escape(self.model or self.path),
            served,
            str(self.status or "-"),
            "streamed" if self.stream else "plain",
            f"{self.total:.3f} s{tokens}",
            f"{self.error}: {_escape(self.text)}" if self.text else self.error,
        )
        return "  ".join(part for part in parts if part)


class AccessLog:
    """The ring and its thread. verbose, log_file: as in Settings. terminal: a file descriptor."""

    def __init__(self, verbose: int, log_file: str | None, *, terminal: int = 2):
        #: Records and lines that were lost.
        self.dropped = 0
        self._output = terminal
        self._path: str | None = None
        self._file: LogFile | None = None
        self._always: frozenset[str] = frozenset()
        self._secrets: dict[str, None] = {}
        self._redactor = NO_SECRETS
        self._ring: deque[RequestRecord | str] = deque()
        self._wake = threading.Event()
        # Held while the file is written or replaced.
        self._files = threading.Lock()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self.write_to(verbose, log_file)
        self._thread.start()

    def write_to(self, verbose: int, log_file: str | None) -> None:
        """Log at this level and to this file from now on. Raises OSError for a file that cannot be opened."""
        if log_file != self._path:
            fresh = LogFile(log_file) if log_file else None
            with self._files:
                old, self._file, self._path = self._file, fresh, log_file
            if old is not None:
                old.close()
        self._terminal = self._output if verbose else -1
        self.enabled = self._file is not None or verbose > 0
        self.bodies = verbose > 1

    def hide(self, secrets: Iterable[Secret | None], *, always: bool = False) -> None:
        """Remove these from bodies from now on, except very short ones.

        always: for as long as the proxy runs. Of the others the latest SECRETS are kept, as some keys change every few
        minutes.
        """
        texts = [secret.reveal() for secret in secrets if secret is not None]
        texts = [text for text in texts if len(text) >= SHORTEST]
        if always:
            self._always |= {*texts}
        else:
            latest = {text: None for text in self._secrets if text not in texts} | dict.fromkeys(texts)
            self._secrets = dict.fromkeys([*latest][-SECRETS:])
        if not {*self._always, *self._secrets} <= {*self._redactor.secrets}:
            # A new one each time: the writing thread may be using the old one.
            self._redactor = Redactor((*self._always, *self._secrets))

    def add(self, record: "RequestRecord | str") -> None:
        """Hand over a record, or a line for the terminal. Never waits."""
        if len(self._ring) >= RING:
            self.dropped += 1
            return
        self._ring.append(record)
        if not self._wake.is_set():
            self._wake.set()

    @property
    def waiting(self) -> int:
        """Records and lines that are not written yet."""
        return len(self._ring)

    def close(self, seconds: float = 1.0) -> None:
        """Write what is left, for at most `seconds`, since the terminal or pipe may not be read any more."""
        self._stopping = True
        self._wake.set()
        self._thread.join(seconds)
        if not self._thread.is_alive() and self._file is not None:
            self._file.close()

    def _run(self) -> None:
        while not (self._stopping and not self._ring):
            self._wake.wait()
            self._wake.clear()
            self._drain()
            if not self._stopping:
                time.sleep(_BATCH_SECONDS)

    def _drain(self) -> None:
        shown: list[str] = []
        logged: list[str] = []
        while self._ring:
            record = self._ring.popleft()
            if isinstance(record, str):
                # Lines may quote an upstream, or a name that a caller sent.
                shown += map(_escape, record.split("\n"))
                continue
            if self._file is not None:
                logged.append(msgspec.json.encode(record.fields()).decode() + "\n")
            if self._terminal >= 0:
                shown.append(record.line())
                shown += self._format_bodies(record)
        if logged:
            with self._files:
                if self._file is not None:
                    self._write(self._file.descriptor, "".join(logged), len(logged))
                    self._file.rotate()
        if shown:
            self._write(self._terminal if self._terminal >= 0 else 2, "\n".join(shown) + "\n", len(shown))

    def _format_bodies(self, record: RequestRecord) -> list[str]:
        if not self.bodies:
            return []
        return [
            f"    {arrow} {self.redact(body[:BODY_KEPT])}"
            for arrow, body in (("→", record.request_body), ("←", record.answer_body))
            if body
        ]

    def redact(self, body: bytes) -> str:
        """Make a body text that may be shown: without secrets, control characters escaped."""
        return _escape(self.remove_secrets(body)[:BODY_SHOWN])

    def remove_secrets(self, body: bytes) -> str:
        """Make a body text without secrets, which are found by value and by pattern."""
        found = self._redactor.redact(body)
        text = "[redacted]" if found is None else found.decode("utf-8", "replace")
        return _VALUES.sub(_redact_value, "".join(KEYS.sub("[redacted]", piece) for piece in _split_at_quotes(text)))

    def _write(self, descriptor: int, text: str, lines: int) -> None:
        # A caller may have put its key into a name.
        data = hide_keys(text).encode()
        try:
            while data:
                data = data[os.write(descriptor, data) :]
        except OSError:
            self.dropped += lines


def _split_at_quotes(text: str) -> Iterator[str]:
    """Split the text into parts that end at a quote, as no key contains one."""
    start = 0
    while start < len(text):
        end = text.find('"', start + _PIECE) + 1 or len(text)
        yield text[start:end]
        start = end


def _redact_value(match: re.Match[str]) -> str:
    """Redact the value of a JSON member whose name says that it is a secret."""
    at = match.start()
    # The quote before the name is the last one, as the match begins with the one behind it.
    name = match.string[max(0, at - _LONGEST_NAME) : at].rpartition('"')[2]
    secret = is_secret_name(name) and not name.endswith(_SIGNED)
    return f"{match[1]}[redacted]" if secret else match[0]


def _escape(text: str) -> str:
    """Escape control and bidirectional characters of text from the network, which must not reach a terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
