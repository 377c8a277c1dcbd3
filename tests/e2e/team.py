"""Proxies of one team: each a process with a home of its own, on a real server."""

import json
from contextlib import ExitStack

from ..store.team.servers import Server
from .pools import pooled
from .processes import Proxy
from .wire import ask

SECRET = "the-secret-of-a-team-0123456789abcdef"
#: Sends of the proxies that are told apart from provider keys in a dump of the server.
CANARIES = (b"pr0mpt-canary", b"key-one-0123456789", b"key-two-0123456789", b"s3cret-answer")
ANSWER = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn"}
USAGE = {"input_tokens": 1, "output_tokens": 1}


def message(session="", text="pr0mpt-canary"):
    """A Messages request and its headers."""
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]}
    return json.dumps(body).encode(), [(b"x-claude-code-session-id", session.encode())] if session else []


class Team:
    """Two or more proxies that begin together. backend: makes the backend's file, for the root of the upstream."""

    def __init__(self, folder, up, count=2, *, server=None, backends=None, settings=None, tables=""):
        self._stack = ExitStack()
        try:
            self.server = server or self._stack.enter_context(Server(folder))
            files = backends or [pooled("box", up.root, ("key-one-0123456789", "key-two-0123456789"))]
            self.proxies = [self._begin(folder / f"n{at}", files, settings or {}, tables) for at in range(count)]
        except BaseException:
            self.close()
            raise

    def _begin(self, folder, files, settings, tables):
        folder.mkdir(exist_ok=True)
        own = {"FAIRLEAD_SHARED_URL": self.server.url, "FAIRLEAD_SHARED_SECRET": SECRET, **settings}
        if tables:
            (folder / "home").mkdir(mode=0o700)
            (folder / "home" / "config.toml").touch(mode=0o600)
            (folder / "home" / "config.toml").write_text(tables)
        proxy = self._stack.enter_context(Proxy(folder, backends=files, settings=own))
        proxy.loaded()
        return proxy

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Stop all of them."""
        self._stack.close()

    def ask(self, at, path, fields, *headers):
        """One request to one of them; fields: of its JSON body, or the body."""
        body = fields if fields is None or isinstance(fields, bytes) else json.dumps(fields).encode()
        return ask(self.proxies[at].port, path, body, *headers)

    def message(self, at, session=""):
        """The answer to a Messages request at one of them."""
        body, headers = message(session)
        return self.ask(at, "/v1/messages", body, *headers)

    def operate(self, at, path):
        """What an operator's path answers."""
        token = (self.proxies[at].home / "operator.token").read_bytes().strip()
        return ask(self.proxies[at].port, path, None, (b"Authorization", b"Bearer " + token)).json()

    def account(self, at, alias):
        """The state of an account at one of them."""
        listed = self.operate(at, "/accounts")["accounts"]
        return next(one for one in listed if one["alias"] == alias)

    def count_rows(self, table):
        """How many rows a table of the server has."""
        return int(self.server.command("HLEN", f"fl:{{team}}:rows:{table}").lstrip(":"))
