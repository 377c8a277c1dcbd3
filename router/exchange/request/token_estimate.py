"""Estimates of the tokens of a request, for those who ask: the body is measured when one of them does."""

from router.exchange.body.body import THREAD_BYTES
from router.exchange.context import Arrival
from router.ir import Usage
from router.policy.accounts.session_key import name_session
from router.policy.facts.token_estimates import SizedRequest, TokenRange
from router.policy.routing.clients import identify_client
from router.wire.costs.text_size import measure_least_text, measure_text

# Bytes of a body that is taken for text as a whole.
_SMALL = 256 << 10


def estimate_input(arrival: Arrival, body: bytes) -> TokenRange:
    """Estimate the tokens of a request's input. body: b"" where it is not held any more. One over THREAD_BYTES is for
    the thread for large bodies."""
    record = arrival.record
    if record.text_bytes is None and body:
        record.text_bytes = measure_text(body)
    return arrival.runtime.token_estimates.estimate(_size(arrival))


def gauge_lower_edge(arrival: Arrival) -> int:
    """The tokens that the input has at least, if its whole body was text: a first look, without reading it."""
    sized = _size(arrival)
    return arrival.runtime.token_estimates.find_lower_edge(sized, sized.size)


async def find_lower_edge(arrival: Arrival, body: bytes | bytearray) -> int:
    """The tokens that the input of a request has at least. Reads the body, a large one in a thread."""
    if len(body) > THREAD_BYTES:
        return await arrival.run_in_thread(_measure_lower_edge, arrival, body)
    return _measure_lower_edge(arrival, body)


def _measure_lower_edge(arrival: Arrival, body: bytes | bytearray) -> int:
    record = arrival.record
    if record.text_bytes is None:
        record.text_bytes = measure_text(body)
    return arrival.runtime.token_estimates.find_lower_edge(_size(arrival), measure_least_text(body))


async def estimate_roughly(arrival: Arrival, body: bytes) -> TokenRange:
    """The same for each request of a busy proxy: a small body is not measured, since it holds no file that matters."""
    return await estimate_any(arrival, body if len(body) > _SMALL else b"")


async def estimate_any(arrival: Arrival, body: bytes) -> TokenRange:
    """The same for a body of any size."""
    if len(body) > THREAD_BYTES and arrival.record.text_bytes is None:
        return await arrival.run_in_thread(estimate_input, arrival, body)
    return estimate_input(arrival, body)


def learn_ratio(arrival: Arrival, usage: Usage) -> None:
    """Note how many tokens the input of a request had. usage: as its answer told it."""
    tokens = (usage.input or 0) + (usage.cache_read or 0) + (usage.cache_write or 0)
    arrival.runtime.token_estimates.observe(_size(arrival), tokens)


def _size(arrival: Arrival) -> SizedRequest:
    record, fields = arrival.record, arrival.request.fields
    client = record.client or identify_client(fields)
    return SizedRequest(client, record.model or "", name_session(fields), record.request_bytes, record.text_bytes)
