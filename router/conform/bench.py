"""What a probe gets: the backend, its model, and a way to send it one request."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

import msgspec
import trio

from router.backends import Backend
from router.backends.endpoints import find_endpoint
from router.backends.known import api_of
from router.backends.profile import Profile
from router.conform.budget import Budget
from router.conform.client import BODY_LIMIT, Client, Reply
from router.conform.record import Unknown
from router.ir import Answer, Fault, Overflow, Text, ToolCall, Usage
from router.wire import translate
from router.wire.neutral.context import Context
from router.wire.paths.upstream import build_path, fit_object
from router.wire.protocol import fill_model
from router.wire.protocols import BY_NAME
from router.wire.raw.json.json_values import Json
from router.wire.raw.whole_numbers import parse_whole

#: Of an answer.
MOST_OUTPUT = 64
#: Requests in a row whose answers did not come in time, or that got none at all, after which nothing more is sent.
LATE_LIMIT, LOST_LIMIT = 2, 3
#: Waits that a 429 may ask for, one and all together: free accounts have few requests a minute.
WAIT_SECONDS, ALL_WAITS_SECONDS = 30, 180

# Of reasoning, the least first; models differ in which they take.
_LEAST_EFFORTS = ("none", "minimal", "low")

_Made = TypeVar("_Made")


class Stopped(Unknown):
    """Nothing more is sent in this run."""


class _Sent(NamedTuple):
    """A request as it is sent."""

    method: str
    path: str
    headers: Mapping[str, str]
    data: bytes = b""
    #: The most tokens of its answer.
    output: int = 0
    #: The most searches of the web that the provider makes for it.
    searches: int = 0
    #: In place of the account's.
    key: str | None = None
    #: '' for one that no model answers.
    protocol: str = ""
    #: Bytes of the answer.
    limit: int = BODY_LIMIT


class Bench:
    """One run of probes. Probes may change `caps`, `missing` and `overflow`, and nothing else."""

    def __init__(self, backend: Backend, model: str, profile: Profile, client: Client, budget: Budget):
        self.backend = backend
        #: The upstream's name of the model.
        self.model = model
        #: What fairlead takes the backend for now.
        self.profile = profile
        self.client = client
        self.budget = budget
        #: Protocol -> the field of the output limit that it took.
        self.caps = {name: entry.output_caps[-1] for name, entry in BY_NAME.items() if entry.output_caps}
        self.caps["chat"] = profile.max_tokens_field
        #: Protocols that were asked for and are not served.
        self.missing: set[str] = set()
        #: Protocol -> the members that keep a model from reasoning until its limit; nothing where that was not needed.
        self.quiet: dict[str, Json] = {}
        #: The limit that an error told, None where none did.
        self.overflow: Overflow | None = None
        #: The last answer, None before the first.
        self.last: Reply | None = None
        #: What `share` keeps, by name.
        self.shared: dict[str, Any] = {}
        self._late = self._lost = 0
        self._waited = 0.0

    @property
    def answers(self) -> bool:
        """False where the last request got no answer, or none in time."""
        return not self._late and not self._lost

    # What to ask for

    def choose(self, *protocols: str) -> str:
        """The first of these protocols that the backend speaks. Raises Unknown."""
        found = next((one for one in protocols if one in self.backend.protocols and one not in self.missing), None)
        if found is None:
            raise Unknown(f"it does not speak {' or '.join(protocols)}")
        return found

    def make_request(self, protocol: str, text: str = "Say ok.", /, *, output: int = 16, **fields: object) -> Json:
        """A request of one user message. output: the most tokens of the answer, up to MOST_OUTPUT. fields: further
        members of the body; they win over the usual ones, and None leaves one out."""
        body: Json = {"model": self.model}
        holder, _, limit = self.caps[protocol].rpartition(".")
        if holder:
            body[holder] = {limit: min(output, MOST_OUTPUT)}
        else:
            body[limit] = min(output, MOST_OUTPUT)
        if protocol == "gemini":
            # The model stands in the path.
            del body["model"]
            body["contents"] = [{"role": "user", "parts": [{"text": text}]}]
        elif protocol == "responses":
            body |= {"input": text, "store": False}
        else:
            body["messages"] = [{"role": "user", "content": text}]
        return {name: value for name, value in (body | fields).items() if value is not None}

    # Asking

    async def ask(
        self,
        protocol: str,
        body: Json,
        *,
        path: str = "",
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        raw: bool = False,
    ) -> Reply:
        """POST a request of a protocol. path: below the root, in place of that of requests for text; such requests are
        taken for ones that write no text. raw: also answers that say nothing of the request (429, 503, 401 …) are
        returned. Raises Unknown for those, and where nothing more may be sent."""
        body = body if path else {**self.quiet.get(protocol, {}), **body}
        reply = await self._post(protocol, body, path, headers, key, raw=raw)
        if not path and not raw and protocol not in self.quiet and _is_used_up(reply, protocol, body):
            reply = await self._ask_quietly(protocol, body, headers, key) or reply
        return reply

    async def _ask_quietly(
        self, protocol: str, body: Json, headers: Mapping[str, str] | None, key: str | None
    ) -> Reply | None:
        """Ask again with as little reasoning as the model takes, and so from now on; None where that does not help."""
        self.quiet[protocol] = {}
        for effort in _LEAST_EFFORTS:
            fields: Json = {"reasoning_effort": effort} if protocol == "chat" else {"reasoning": {"effort": effort}}
            reply = await self._post(protocol, {**body, **fields}, "", headers, key, raw=False)
            if reply.ok and not _is_used_up(reply, protocol, body):
                self.quiet[protocol] = fields
                return reply
        return None

    async def _post(
        self, protocol: str, body: Json, path: str, headers: Mapping[str, str] | None, key: str | None, *, raw: bool
    ) -> Reply:
        entry = BY_NAME[protocol]
        endpoint, where = find_endpoint(self.backend, protocol), path
        if not where:
            streams = body.get("stream") is True
            if streams and entry.stream_path:
                body = {name: value for name, value in body.items() if name != "stream"}
            own = fill_model((streams and entry.stream_path) or entry.path, self.model)
            where = build_path(endpoint, entry, own, self.model, stream=streams)
            body = fit_object(body, endpoint, entry, own)
        data = msgspec.json.encode(body)
        limits = [value for name in entry.output_caps if isinstance(value := _read_cap(body, name), int)]
        sent = _Sent(
            "POST",
            where,
            {**dict(entry.api.headers), **(headers or {})},
            data,
            output=0 if path else max(limits, default=MOST_OUTPUT) * _count_choices(body),
            searches=_offers_search(body),
            key=key,
            protocol=protocol,
        )
        reply = await self._send(sent)
        if not raw:
            self._check_said(reply)
        return reply

    async def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, key: str | None = None, limit: int = BODY_LIMIT
    ) -> Reply:
        """GET a path below the root, as it came. limit: bytes of the answer. Raises Unknown where nothing more may be
        sent."""
        sent = {**dict(api_of(self.backend).headers), **(headers or {})}
        return await self._send(_Sent("GET", path, sent, key=key, limit=limit))

    def adopt(self, other: "Bench") -> None:
        """Take over what another bench of this run has asked already."""
        self.shared.update(other.shared)
        self.budget.requests += other.budget.requests

    async def share(self, name: str, make: Callable[[], Awaitable[_Made]]) -> _Made:
        """What `make` gave when this name was first asked for: probes can look at one answer together."""
        if name not in self.shared:
            self.shared[name] = await make()
        return cast("_Made", self.shared[name])

    async def _send(self, sent: "_Sent") -> Reply:
        """Send a request, and once more after a short wait that its answer asks for."""
        reply = await self._send_once(sent)
        wait = self._find_wait(reply)
        if wait:
            self._waited += wait
            await trio.sleep(wait)
            reply = await self._send_once(sent)
        return reply

    async def _send_once(self, sent: "_Sent") -> Reply:
        if self._late >= LATE_LIMIT or self._lost >= LOST_LIMIT:
            raise Stopped("the run ended: several requests in a row got no answer")
        estimate = self.budget.check(len(sent.data), sent.output, sent.searches)
        try:
            reply = await self.client.send(
                sent.method,
                sent.path,
                headers=sent.headers,
                body=sent.data,
                key=sent.key,
                limit=sent.limit,
                protocol=sent.protocol,
            )
        except BaseException:
            # Ctrl-C: it may be billed.
            self.budget.settle(estimate, None)
            raise
        self.last = reply
        self._late = self._late + 1 if reply.late else 0
        self._lost = self._lost + 1 if not reply.status else 0
        if reply.status >= 300 or (not reply.status and not reply.late):
            self.budget.count_refused()
        else:
            usage = read_usage(reply, sent.protocol, self.profile) if sent.protocol else None
            self.budget.settle(estimate, usage)
        return reply

    def _check_said(self, reply: Reply) -> None:
        """Raise Unknown for an answer that does not tell whether the request is taken."""
        if not reply.status:
            raise Unknown(reply.problem)
        if reply.ok or reply.refused or (reply.status == 200 and reply.problem and not reply.late):
            return
        raise Unknown(reply.describe())

    def _find_wait(self, reply: Reply) -> float:
        """Seconds after which the same request may be taken, 0 where the answer says none, or too many."""
        told = parse_whole(reply.fields.get("retry-after", ""), 1, WAIT_SECONDS) if reply.status == 429 else None
        return 0.0 if told is None or self._waited + told > ALL_WAITS_SECONDS else float(told)


def _offers_search(body: Json) -> bool:
    """True for a request that has the provider search the web, which each of ours limits to one search."""
    tools = body.get("tools")
    kinds = [one.get("type") for one in cast("list[Json]", tools)] if isinstance(tools, list) else []
    return "web_search_options" in body or any(str(kind).startswith("web_search") for kind in kinds)


def _read_cap(body: Json, name: str) -> object:
    """The limit of the output. name: of its field, with that of what holds it."""
    holder, _, limit = name.rpartition(".")
    inside = body.get(holder) if holder else body
    return cast("Json", inside).get(limit) if isinstance(inside, dict) else None


def _count_choices(body: Json) -> int:
    count = body.get("n")
    return count if isinstance(count, int) else 1


# Reading answers


def _is_used_up(reply: Reply, protocol: str, body: Json) -> bool:
    """True for an answer that the limit ended before its text or a call began, as reasoning is counted as output; the
    request has not said how much of that it wants."""
    if protocol not in ("chat", "responses") or "reasoning_effort" in body or "reasoning" in body or not reply.ok:
        return False
    found = read_answer(reply, protocol)
    if not isinstance(found, Answer) or found.stop != "length":
        return False
    return not any(
        block.text.strip() if isinstance(block, Text) else isinstance(block, ToolCall) for block in found.blocks
    )


def read_answer(reply: Reply, protocol: str) -> Answer | Fault | None:
    """A whole answer or a whole stream in fairlead's own terms; None for what is neither."""
    if not reply.body or reply.status >= 300:
        return None
    ctx = Context(now=0, new_id=lambda: "0" * 24, profile=Profile(), request_sent=True)
    if reply.is_stream:
        return translate.read_stream(reply.body, protocol, ctx)
    return translate.read_answer(reply.body, protocol, ctx)


def read_calls(reply: Reply, protocol: str) -> list[ToolCall]:
    """The tool calls of an answer; one without a name is none."""
    found = read_answer(reply, protocol)
    blocks = found.blocks if isinstance(found, Answer) else ()
    return [block for block in blocks if isinstance(block, ToolCall) and block.name]


def read_usage(reply: Reply, protocol: str, profile: Profile) -> Usage | None:
    """The usage that an answer tells, None where it tells none. Of a stream, that of its events together."""
    dialect = BY_NAME[protocol].dialect
    usage = Usage()
    documents = [event.data for event in reply.iter_events()] if reply.is_stream else [reply.read_json()]
    for data in documents:
        found = dialect.usage_in(data)
        for nested in ("message", "response"):
            inner = data.get(nested)
            found = found or (dialect.usage_in(cast("Json", inner)) if isinstance(inner, dict) else {})
        if found:
            usage = dialect.usage(found, usage, profile)
    return None if usage.input is None and usage.output is None else usage
