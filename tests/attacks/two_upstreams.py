"""A proxy before two scripted upstreams, and all that both got."""

from tests.e2e.processes import Proxy, backend
from tests.e2e.samples import CHAT
from tests.e2e.upstream import Upstream, plain
from tests.e2e.wire import ask

SECRET = b"hunter2-hunter2-hunter2"
OWN = "sk-own-0123456789abcdef"
CHAT_BODY = CHAT.body("box:model-a")


class World:
    """One proxy before two scripted upstreams: `box` speaks all protocols, `chat` speaks Chat alone."""

    def __init__(self, folder):
        self.folder = folder
        self.up, self.other = Upstream(), Upstream()
        entries = [
            backend("box", self.up.root, auth="key", key=OWN),
            backend("chat", self.other.root, protocols=["chat"], auth="key", key=OWN),
        ]
        entries[0]["accounts"].append({"alias": "second", "key": OWN})
        self.proxy = Proxy(
            folder, backends=entries, settings={"FAIRLEAD_DEFAULT_BACKEND": "box", "FAIRLEAD_QUEUE_TIMEOUT": "1s"}
        )
        self.proxy.settled("box", "chat")

    def clear(self):
        for up in (self.up, self.other):
            up.clear()
            up.default = (plain(CHAT.whole),)

    def send(self, path, body, *fields, **options):
        return ask(self.proxy.port, path, body, *fields, **options)

    def sent(self):
        """Everything that both upstreams got, as one text in lower case."""
        return b"\n".join(
            seen.line + b"\n" + b"\n".join(b"%b: %b" % line for line in seen.lines) + b"\n" + seen.body
            for up in (self.up, self.other)
            for seen in up.seen
        )

    def lines(self):
        return [seen.line.decode() for up in (self.up, self.other) for seen in up.seen]

    def close(self):
        self.proxy.kill()
        self.up.stop()
        self.other.stop()
