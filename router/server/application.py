"""The application behind a client connection: access checks, then an endpoint or an exchange, then the record."""

import time
import traceback

import msgspec
import trio

from router.admin import dispatch
from router.admin.models_api import serve_models
from router.backends import GOOGLE, MODEL
from router.errors import BadRequest, Forbidden, NotImplementedHere, RouterError, UpgradeRequired, WrongVerb
from router.exchange.capture.decision import describe_decision
from router.exchange.capture.observe import observe
from router.exchange.client_response.head import refuse
from router.exchange.conclusion import conclude
from router.exchange.context import Arrival
from router.exchange.exchange import Exchange
from router.exchange.grants.allowed import check_path
from router.exchange.stored_responses import serve_stored
from router.host.access import Gate, format_operator_error, has_key
from router.net.headers import SECURITY, RawHeaders, to_lines
from router.net.query import check_query, take_key
from router.net.server.cancel_reason import CancelReason
from router.net.server.connection import Connection, Request
from router.policy.grants.grant import DEFAULT
from router.policy.routing.clients import identify_client
from router.policy.tags import read_tag
from router.server.accepting import OwnPaths
from router.telemetry.accesslog import RequestRecord
from router.telemetry.gate_refusals import CROSS_SITE, HOST, MALFORMED, METHOD, NO_KEY, PATH, WRONG_KEY
from router.telemetry.request_ids import RequestIds
from router.upstream.runtime import Runtime
from router.wire import calls
from router.wire.dialect import openai_kind

_VERBS = ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH")
#: Characters of a method: those of HTTP, and of nearly all that build on it, have fewer.
METHOD_LIMIT = 16


class Proxy:
    """The application of one proxy."""

    def __init__(self, runtime: Runtime, gate: Gate, own: OwnPaths):
        self._runtime = runtime
        self._gate = gate
        self._own = own
        self._ids = RequestIds()

    async def __call__(self, connection: Connection, request: Request) -> None:
        """Answer one request; errors are in the caller's protocol, with a request id."""
        if len(request.method) > METHOD_LIMIT:
            raise _refuse_method()
        path = calls.canonical(request.path)
        if path is None or request.method == "OPTIONS":
            await self._serve_own(connection, request)
            return
        if request.query:
            _take_key(request, path)
        call = calls.call(path, request.fields)
        if call.stream:
            call = calls.with_query(call, request.query)
        method = request.method if request.method in _VERBS else ""
        # Without the model's name: the record has that, and callers may send any number of such names.
        record = RequestRecord(self._ids.make(), time.time(), method, call.template or path)
        arrival = Arrival(self._runtime, connection, request, call, record)
        if arrival.capture is not None:
            observe(arrival)
        exchange = Exchange(arrival)

        async def cut(why: CancelReason) -> None:
            try:
                await exchange.cut(why)
            finally:
                self._finish(arrival, exchange)

        connection.on_cancel = cut
        try:
            await self._serve_call(arrival, exchange, path)
        except RouterError as error:
            if connection.started:
                record.error = error.kind
                connection.abort()
            else:
                await refuse(arrival, error, exchange.attempt)
            if error.gate:
                # The record has no model: the request was not looked at.
                record.path = record.path.replace(MODEL, "")
            if error.gate and not self._is_recorded(error.gate, request):
                connection.on_cancel = None
                self._forget(arrival)
                return
        except Exception:
            record.error = "internal"
            connection.on_cancel = None
            self._finish(arrival, exchange)
            raise
        connection.on_cancel = None
        self._finish(arrival, exchange)

    async def _serve_call(self, arrival: Arrival, exchange: Exchange, path: str) -> None:
        """Answer a call of an LLM's API. Raises RouterError while nothing was sent to the client."""
        request = arrival.request
        self._check_browser(arrival.connection, request)
        if b"origin" in request.fields:
            arrival.cors = to_lines(self._gate.make_cors_headers(request))
        self._check_key(arrival)
        arrival.connection.place.authenticate()
        arrival.record.tag = read_tag(request.fields)
        if arrival.grant is not None:
            arrival.record.tag = arrival.grant.forced_tag or arrival.record.tag
            check_path(arrival.grant, arrival.call, request.method)
        # A path that asks a model to answer lists none.
        listed = None if arrival.call.asks_model else calls.find_listed(path)
        if listed is not None:
            await serve_models(arrival, listed, gate=self._gate)
            arrival.record.status = 200
            return
        _check_verb(request, arrival.call)
        if request.query:
            check_query(request.query)
        if calls.is_closed(path, request.method) and arrival.snapshot.settings.passthrough != "all":
            raise Forbidden(
                f"{request.method} {path} is closed by default: it can delete, spend or administer. "
                "`fairlead proxy --passthrough all` opens it."
            )
        if not await serve_stored(arrival):
            await exchange.run()

    def _finish(self, arrival: Arrival, exchange: Exchange) -> None:
        """Record a request that has ended, and hand its captured bodies over."""
        runtime, record = self._runtime, arrival.record
        now = runtime.health.answered = trio.current_time()
        record.total = now - arrival.request.arrived
        conclude(arrival, exchange.attempt)
        if arrival.capture is not None:
            arrival.connection.observer = None
            arrival.capture.decision = describe_decision(arrival, exchange.attempt)
            runtime.capture(record, arrival.capture)
        if runtime.log.enabled:
            runtime.log.add(record)

    def _check_key(self, arrival: Arrival) -> None:
        """Find out which key the caller has. Raises Unauthenticated."""
        request = arrival.request
        arrival.own_keys = self._gate.own
        found = self._runtime.client_keys.identify(request.fields)
        if found is not None:
            arrival.own_keys = (*self._gate.own, *found.keys)
            if found.grant is not None:
                arrival.grant, arrival.record.key = found.grant, found.grant.name
                return
        try:
            if self._gate.check_key(request, "" if found is None else found.fault):
                arrival.record.key = DEFAULT
        except RouterError as error:
            error.gate = WRONG_KEY if has_key(request) else NO_KEY
            raise

    def _check_browser(self, connection: Connection, request: Request) -> None:
        try:
            self._gate.check_browser(request, connection.stream.get_local_address)
        except RouterError as error:
            foreign = b"origin" in request.fields or b"sec-fetch-site" in request.fields
            error.gate = CROSS_SITE if foreign else HOST
            raise

    def _is_recorded(self, reason: str, request: Request | None) -> bool:
        """Count a refused request; True when it is to be recorded. request: None where there is none to read."""
        client = "" if request is None else identify_client(request.fields)
        return self._runtime.gate_refusals.count(reason, client, trio.current_time())

    def _forget(self, arrival: Arrival) -> None:
        """End a request that is counted and not recorded."""
        self._runtime.health.answered = trio.current_time()
        if arrival.capture is not None:
            arrival.connection.observer = None
            self._runtime.captures.cancel()

    async def _serve_own(self, connection: Connection, request: Request) -> None:
        try:
            self._check_browser(connection, request)
            if not await self._own.serve(connection, request):
                problem = dispatch.unknown_path(request)
                problem.gate = PATH
                raise problem
        except RouterError as error:
            # Refusals of the operator's own paths are not recorded: monitoring may repeat such a request forever.
            name = self._ids.make()
            if error.gate and self._is_recorded(error.gate, request) and not dispatch.is_own(request.path):
                self._record_refused(name, request.method, dispatch.describe_path(request.path), error)
            body = msgspec.json.encode(format_operator_error(error))
            headers = [
                *_make_refusal_headers(error, name),
                *self._gate.make_cors_headers(request),
                *self._gate.sign_answer(request, error.status, body),
            ]
            await connection.respond(error.status, headers, body)

    def _record_refused(self, name: str, method: str, place: str, error: RouterError) -> None:
        """Record a request that could not be parsed, or whose path is unknown. name: its id. place: a word that is
        recorded as the path, since the path may contain anything."""
        method = method if method in _VERBS else ""
        record = RequestRecord(name, time.time(), method, place, status=error.status, error=error.word or error.kind)
        self._runtime.recorder.add_refused(record)
        if self._runtime.log.enabled:
            self._runtime.log.add(record)

    def format_refusal(self, error: RouterError) -> tuple[RawHeaders, bytes]:
        """The answer to a request that could not be parsed: its protocol is not known, so the error has the fields of
        all of them."""
        body = {
            "type": "error",
            "error": {"type": openai_kind(error.status), "message": error.message, "param": None, "code": error.code},
        }
        place = f"({error.message})" if error.word else "(malformed)"
        name = self._ids.make()
        if self._is_recorded(error.gate or MALFORMED, None):
            self._record_refused(name, "", place, error)
        return _make_refusal_headers(error, name), msgspec.json.encode(body)

    def report_crash(self, error: Exception) -> None:
        """Log a defect of fairlead with the place in the code, without values."""
        last = traceback.extract_tb(error.__traceback__)[-3:]
        places = ", ".join(f"{frame.filename.rpartition('router')[2]}:{frame.lineno}" for frame in reversed(last))
        self._runtime.log.add(f"internal error: {type(error).__name__} at router{places} (please report it)")


def _make_refusal_headers(error: RouterError, name: str) -> RawHeaders:
    headers = [*SECURITY, (b"content-type", b"application/json"), (b"x-fairlead-request-id", name.encode())]
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % error.retry_after))
    return headers + [(name.encode(), value.encode()) for name, value in error.headers]


def _refuse_method() -> RouterError:
    """The error for a method that nothing has."""
    error = BadRequest("The method is not implemented.")
    error.status, error.gate = 501, METHOD
    return error


def _take_key(request: Request, path: str) -> None:
    """Take a key out of the query, where callers of a path may send it there: queries are logged, headers are not."""
    entry = calls.call(path).entry
    if not entry.key_in_query and calls.find_listed(path) is None:
        return
    key, rest = take_key(request.query.encode("ascii"))
    if len(rest) < len(request.query):
        request.move_key(key, rest, GOOGLE.key_header.encode("ascii"))


def _check_verb(request: Request, call: calls.Call) -> None:
    try:
        _check_method(request, call)
    except RouterError as error:
        error.gate = METHOD
        raise


def _check_method(request: Request, call: calls.Call) -> None:
    path = call.path
    upgrade = request.fields.get(b"upgrade", b"")
    if upgrade.lower() == b"websocket":
        if not call.entry.live:
            raise UpgradeRequired(f"{path} is served over HTTP: send a POST and read server-sent events.")
        raise NotImplementedHere("Live sessions are not served: send streamGenerateContent in their place.")
    if call.entry.live and path.startswith(call.entry.live):
        raise NotImplementedHere("Live sessions are not served: send streamGenerateContent in their place.")
    if call.model is not None:
        call.entry.check_name(call.model)
    if call.asks_model and request.method != "POST":
        raise WrongVerb(f"{path} takes no {request.method}; send a POST.", allow="POST")
    if request.method not in _VERBS:
        raise WrongVerb(f"{path} takes no {request.method}.", allow=", ".join(_VERBS))
