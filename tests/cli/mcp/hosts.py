"""A server that a test started as an agent does, and what the two say to each other."""

import contextlib
import json
import os
import signal
import subprocess
import sys

META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Host:
    """Starts the server with a pipe at each end. `sent` has each line that came back."""

    def __init__(self, environ, folder):
        theirs_in, self._in = os.pipe()
        self._out, theirs_out = os.pipe()
        self.said = (folder / "stderr").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "router", "mcp"],
            stdin=theirs_in,
            stdout=theirs_out,
            stderr=self.said,
            env=environ,
            cwd=folder,
        )
        for one in (theirs_in, theirs_out):
            os.close(one)
        self.lines = os.fdopen(self._out, "rb")
        self._number = 0

    def write(self, data):
        """Send bytes as they are."""
        while data:
            data = data[os.write(self._in, data) :]

    def read(self):
        """The next message."""
        return json.loads(self.lines.readline())

    def ask(self, method, params=None, *, stateless=True):
        """The result, or the error, of a request."""
        self._number += 1
        params = {**(params or {}), **({"_meta": META} if stateless else {})}
        message = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.write(json.dumps(message).encode() + b"\n")
        answer = self.read()
        assert answer["id"] == self._number
        return answer.get("result", answer.get("error"))

    def call(self, tool, **arguments):
        """What a tool answers; what it says where it failed."""
        result = self.ask("tools/call", {"name": tool, "arguments": arguments})
        [content] = result["content"]
        if result.get("isError"):
            return content["text"]
        assert json.loads(content["text"]) == result["structuredContent"]
        return result["structuredContent"]

    def close_input(self):
        """Say that nothing more comes."""
        with contextlib.suppress(OSError):
            os.close(self._in)

    def end(self, seconds=20):
        """Close its input; what it sent after that, what it said on stderr, and its exit code."""
        self.close_input()
        rest = self.lines.read()
        code = self.process.wait(seconds)
        self.said.seek(0)
        return rest, self.said.read(), code

    def close(self):
        """End it in any case."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(20)
        self.close_input()
        self.lines.close()
        self.said.close()
