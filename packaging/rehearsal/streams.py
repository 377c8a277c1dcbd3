"""Streams that are held open through a proxy, and new connections made all the while.

The answers come from the demo models of another proxy, `demo-slow`, which says a word each half second.
"""

import http.client
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

#: Protocol -> the path, the field of the conversation, and the event or line that ends a whole answer.
_PROTOCOLS = {
    "messages": ("/v1/messages", "messages", b"event: message_stop"),
    "chat": ("/v1/chat/completions", "messages", b"data: [DONE]"),
    "responses": ("/v1/responses", "input", b"event: response.completed"),
}
PROTOCOLS = tuple(_PROTOCOLS)
#: What each protocol says of a stream that ends before its answer does.
_ERRORS = {
    "messages": (b"event: error",),
    "chat": (b'data: {"error"',),
    "responses": (b"event: error", b"event: response.failed"),
}
#: Seconds for which one word of an answer lasts.
WORD = 0.5
PATIENCE = 120.0


class Stream(threading.Thread):
    """One streamed answer of so many words, read to its end."""

    def __init__(self, port: int, protocol: str, words: int, model: str):
        super().__init__(daemon=True)
        self.protocol, self.words = protocol, words
        #: Once it ended: `whole`, `error event`, or what else was seen.
        self.end = ""
        #: When it ended, on the monotonic clock.
        self.ended = 0.0
        #: Set at the first event.
        self.begun = threading.Event()
        self._port, self._model = port, model

    def run(self) -> None:
        """Read it; nothing is raised."""
        try:
            self.end = self._read()
        except (OSError, http.client.HTTPException) as error:
            self.end = f"{type(error).__name__}: {error}"
        self.ended = time.monotonic()
        self.begun.set()

    def _read(self) -> str:
        path, conversation, last = _PROTOCOLS[self.protocol]
        said = [f"w{number} " for number in range(self.words)]
        turns = [{"role": "user", "content": "".join(said).strip()}]
        body: dict[str, object] = {"model": self._model, conversation: turns, "stream": True}
        if self.protocol == "messages":
            body["max_tokens"] = 100_000
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
            response = connection.getresponse()
            if response.status != 200:
                return f"status {response.status}: {response.read(300)!r}"
            seen = b""
            while line := response.readline():
                seen += line
                self.begun.set()
        except http.client.IncompleteRead as error:
            return f"torn after {error.partial[-200:]!r}"
        finally:
            connection.close()
        if last in seen:
            missing = [word for word in said if word.strip().encode() not in seen]
            return f"ended as if whole without {missing[:3]}" if missing else "whole"
        if any(error in seen for error in _ERRORS[self.protocol]):
            return "error event"
        return f"torn after {seen[-200:]!r}"


@dataclass
class Visits:
    """New connections, one after the other, until stopped: each asks for one short answer."""

    port: int
    answers: Counter[str] = field(default_factory=Counter[str])
    #: What went wrong, in the order it was seen.
    problems: list[str] = field(default_factory=list[str])
    #: The longest that one had to wait, in seconds.
    longest: float = 0.0

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End them; all results are in then."""
        self._stop.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        body = json.dumps({"model": "demo", "messages": [{"role": "user", "content": "here"}]})
        while not self._stop.wait(0.02):
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            try:
                connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
                response = connection.getresponse()
                data = response.read()
                if response.status != 200 or b'"here"' not in data:
                    self.problems.append(f"status {response.status}: {data[:200]!r}")
                self.answers[str(response.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                self.problems.append(f"{type(error).__name__}: {error}")
            finally:
                connection.close()
            self.longest = max(self.longest, time.monotonic() - began)
