"""An issuer's answers without a network: what is asked is recorded, and time is the test's."""

import json
from urllib.parse import parse_qsl

import trio
from trio.testing import MockClock

from router.net.control.request import Answer, ControlError


class Scripted:
    """Answers one after the other: (status, document), bytes for a body that is no JSON, an error to raise. The last
    one stays."""

    def __init__(self, *answers):
        self._answers = list(answers)
        #: (seconds since the start, method, URL, form).
        self.asked = []
        self.headers = []

    async def __call__(self, method, url, headers, body):
        await trio.lowlevel.checkpoint()
        self.asked.append((trio.current_time(), method, url, dict(parse_qsl((body or b"").decode()))))
        self.headers.append(headers)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, str):
            raise ControlError(answer)
        status, document, *fields = answer
        data = document if isinstance(document, bytes) else json.dumps(document).encode()
        return Answer(status, fields[0] if fields else {}, data, 0.0, 0.0)

    @property
    def times(self):
        """When it was asked, in whole seconds since the start."""
        return [round(at) for at, *_ in self.asked]


def run(function, *arguments):
    """Run an async function on a clock that jumps, from 0."""

    async def main():
        return await function(*arguments)

    return trio.run(main, clock=MockClock(autojump_threshold=0.0))
