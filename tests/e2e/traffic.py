"""Requests of every kind, one after the other, and what must be known of each afterwards."""

import gzip
import json
import random
import re
from collections import Counter

from .samples import PROTOCOLS
from .upstream import begun, close, hang, plain, stream
from .wire import Client, ask, request

CANARY = "canary-7f3a-never-written-down"
PRICES = {"input": 3.0, "output": 15.0, "cache_read": 0.3, "cache_write": 3.75}
CONFIG = '[prices."model-a"]\ninput = 3\noutput = 15\ncache_read = 0.3\ncache_write = 3.75\n'
CLIENTS = {
    "claude-code": ((b"X-Claude-Code-Session-Id", b"s"), (b"X-App", b"cli")),
    "codex": ((b"X-Codex-Turn-Metadata", b"t"),),
    "": (),
}
BILLED = (
    (b"Anthropic-Ratelimit-Unified-Representative-Claim", b"five_hour"),
    (b"Anthropic-Ratelimit-Unified-5h-Utilization", b"0.42"),
    (b"Anthropic-Ratelimit-Unified-7d-Utilization", b"0.17"),
)
SAID = b'"system":"%b",' % CANARY.encode()
COUNTED = ("tokens_in", "tokens_out", "cache_read", "cache_write", "reasoning")


def usage_of(protocol, tokens):
    """The usage object an upstream of this protocol sends for these counts."""
    read, out, cached, written, thought = (tokens[name] for name in COUNTED)
    if protocol.name == "messages":
        return {
            "input_tokens": read,
            "output_tokens": out,
            "cache_read_input_tokens": cached,
            "cache_creation_input_tokens": written,
            "output_tokens_details": {"thinking_tokens": thought},
        }
    first, second = ("prompt", "completion") if protocol.name == "chat" else ("input", "output")
    return {
        f"{first}_tokens": read + cached + written,
        f"{second}_tokens": out,
        f"{first}_tokens_details": {"cached_tokens": cached, "cache_write_tokens": written},
        f"{second}_tokens_details": {"reasoning_tokens": thought},
    }


def answer_of(protocol, usage):
    """A plain answer with this usage; without any for None."""
    data = json.loads(protocol.whole)
    data.pop("usage")
    return json.dumps(data | {"echo": CANARY} | ({} if usage is None else {"usage": usage})).encode()


def events_of(protocol, usage):
    """A whole stream with this usage at its end."""
    data = json.dumps(usage).encode()
    if protocol.name == "messages":
        return [re.sub(rb'"usage":\{[^}]*\}(?=\}\n)', b'"usage":' + data, event) for event in protocol.events]
    if protocol.name == "chat":
        last = b'data: {"id":"c1","object":"chat.completion.chunk","choices":[],"usage":%b}\n\n' % data
        return [*protocol.events[:-1], last, protocol.events[-1]]
    return [*protocol.events[:-1], re.sub(rb'"usage":\{[^}]*\}', b'"usage":' + data, protocol.events[-1])]


class Mixed:
    """Requests of every kind, one after the other, and what must be known of each afterwards."""

    def __init__(self, proxy, upstream, seed=6):
        self._proxy, self._upstream, self._chance = proxy, upstream, random.Random(seed)
        self.expected = {}
        self.kinds = Counter()

    def run(self, count):
        kinds = [self.whole] * 5 + [self.streamed] * 5 + [self.failed, self.unsaid, self.refused, self.left, self.cut]
        for number in range(count):
            kind, protocol = self._chance.choice(kinds), PROTOCOLS[number % 3]
            kind(protocol)
            self.kinds[kind.__name__, protocol.name] += 1

    def _tokens(self):
        counts = dict.fromkeys(COUNTED, 0)
        for name in COUNTED[:4]:
            counts[name] = self._chance.choice((0, 7, 1200, 96_210))
        counts["reasoning"] = self._chance.randrange(counts["tokens_out"] + 1)
        return counts

    def _ask(self, protocol, *, streamed, script, body=None):
        client = self._chance.choice(list(CLIENTS))
        if script is not None:
            self._upstream.script(script)
        body = body or protocol.body(stream=streamed, extra=SAID)
        return client, ask(self._proxy.port, protocol.path, body, *CLIENTS[client])

    def _note(self, sent, client, answer, tokens, **fields):
        name = answer.field(b"x-fairlead-request-id").decode()
        cost = None
        if tokens is not None:
            rates = zip(PRICES.values(), (tokens[key] for key in COUNTED[:4]), strict=True)
            cost = round(sum(rate * 1000 * count for rate, count in rates)) / 1e9
        self.expected[name] = {
            "client": client,
            "protocol": sent.name,
            "path": sent.path,
            "model": "model-a",
            "backend": "box",
            "account": "none",
            "status": 200,
            "error": "",
            "attempts": 1,
            "stream": False,
            "billing": "",
            "utilisation": None,
            "estimated": False,
            "cost_usd": cost,
            **(tokens or dict.fromkeys(COUNTED)),
            **fields,
        }

    def whole(self, protocol):
        tokens, packed = self._tokens(), self._chance.random() < 0.3
        body = answer_of(protocol, usage_of(protocol, tokens))
        fields = [*BILLED] if protocol.name == "messages" else []
        if packed:
            body, fields = gzip.compress(body), [*fields, (b"Content-Encoding", b"gzip")]
        client, answer = self._ask(protocol, streamed=False, script=plain(body, b"200 OK", *fields))
        told = {"billing": "five_hour", "utilisation": 0.42, "used_5h": 0.42, "used_7d": 0.17}
        told = told if protocol.name == "messages" else {}
        self._note(protocol, client, answer, tokens, **told)

    def streamed(self, protocol):
        tokens = self._tokens()
        script = stream(events_of(protocol, usage_of(protocol, tokens)))
        client, answer = self._ask(protocol, streamed=True, script=script)
        assert answer.whole
        self._note(protocol, client, answer, tokens, stream=True)

    def failed(self, protocol):
        status = self._chance.choice((b"503 Busy", b"500 Oops", b"529 Overloaded"))
        # Of an error the message is kept, and nothing else.
        said = b'{"type":"error","error":{"type":"x","message":"the engine is down","echo":"%b"}}' % CANARY.encode()
        script = plain(said, status)
        client, answer = self._ask(protocol, streamed=self._chance.random() < 0.5, script=script)
        told = {"status": int(status[:3]), "error": "upstream_error", "error_text": "the engine is down"}
        self._note(protocol, client, answer, None, **told)

    def unsaid(self, protocol):
        client, answer = self._ask(protocol, streamed=False, script=plain(answer_of(protocol, None)))
        self._note(protocol, client, answer, None, estimated=True, tokens_in=Known, tokens_out=Known, cost_usd=Known)

    def refused(self, protocol):
        known = self._chance.random() < 0.5
        body = protocol.body("nobody:knows-this", extra=SAID) if known else b"{" + SAID
        client, answer = self._ask(protocol, streamed=False, script=None, body=body)
        self._note(
            protocol,
            client,
            answer,
            None,
            status=404 if known else 400,
            error="not_found_error" if known else "invalid_request_error",
            model="nobody:knows-this" if known else "",
            protocol=protocol.name if known else "",
            backend="",
            account="",
            attempts=0,
        )

    def left(self, protocol):
        self._upstream.script(begun(protocol), hang)
        client = self._chance.choice(list(CLIENTS))
        with Client(self._proxy.port) as caller:
            caller.send(request(protocol.path, protocol.body(stream=True, extra=SAID), *CLIENTS[client]))
            seen = caller.read_until(protocol.events[protocol.begun - 1])
            caller.abort()
        name = re.search(rb"x-fairlead-request-id: (\S+)", seen, re.IGNORECASE)[1].decode()
        self._cut_off(protocol, client, name, error="client_gone")

    def cut(self, protocol):
        self._upstream.script(begun(protocol), close)
        client = self._chance.choice(list(CLIENTS))
        with Client(self._proxy.port) as caller:
            caller.send(request(protocol.path, protocol.body(stream=True, extra=SAID), *CLIENTS[client]))
            # As clients do it: they leave when they have read the error.
            seen = caller.read_until(b"connection lost")
        name = re.search(rb"x-fairlead-request-id: (\S+)", seen, re.IGNORECASE)[1].decode()
        self._cut_off(protocol, client, name, error="upstream_broke_off")

    def _cut_off(self, protocol, client, name, *, error):
        self.expected[name] = {
            "client": client,
            "protocol": protocol.name,
            "status": 200,
            "stream": True,
            "estimated": True,
            "error": error,
            "tokens_in": 3 if protocol.name == "messages" else Known,
            "tokens_out": Known,
        }


class Anything:
    """Equal to every count there can be, but for none."""

    def __eq__(self, other):
        return other is not None and other > 0

    __hash__ = None


Known = Anything()
