"""The places of a request in the limits of its client key: requests and tokens a minute, requests at a time.

A request waits for them as it waits for those of a backend, in the order of arrival and for queue.timeout at most. One
of a key for a process waits for those of the key above it too.
"""

import math
from collections.abc import Callable

from router.errors import RateLimited
from router.exchange.context import RequestContext
from router.net.server.cancel_reason import CancelReason
from router.policy.accounts.retry import LATEST, format_duration
from router.policy.grants.grant import Grant
from router.telemetry.accesslog import KEY_LIMIT
from router.upstream.queue import AdmissionQueue, QueueTimeout

# A shorter wait explains nothing.
_NOTED_SECONDS = 0.1


class KeyPlaces:
    """The places that a request holds."""

    __slots__ = ("_context", "_estimate", "_held", "_tokens")

    def __init__(self, context: RequestContext, estimate: Callable[[], int]):
        """estimate: gives the tokens of the request's input."""
        self._context = context
        self._estimate = estimate
        self._held: list[AdmissionQueue] = []
        self._tokens = 0

    async def acquire(self) -> None:
        """Wait for a place in each of the key's limits. Raises RateLimited."""
        context = self._context
        grant = context.grant
        queues = context.runtime.client_keys.queues_of(grant) if grant is not None else []
        if any(queue.rate_limit.limits.tpm is not None for _, queue in queues):
            self._tokens = self._estimate()
        for one, queue in queues:
            if not queue.try_acquire(_take, queue.clock(), self._tokens):
                await self._wait(one, queue)
            self._held.append(queue)

    async def _wait(self, grant: Grant, queue: AdmissionQueue) -> None:
        context, record = self._context, self._context.record
        elapsed, begun = context.elapsed(), queue.clock()
        most = context.snapshot.settings.queue_timeout
        patience = max(0.0, min(most - record.queued, LATEST - elapsed))
        context.connection.set_deadline(context.snapshot.settings.timeouts_total - elapsed, CancelReason.TOTAL)
        record.waits = f"{KEY_LIMIT} {grant.name}"
        try:
            await queue.acquire(_take, patience=patience, arrived=context.request.arrived, tokens=self._tokens)
        except QueueTimeout as waited:
            raise _explain(waited, grant, queue, most) from None
        finally:
            record.waits = ""
            record.queued += queue.clock() - begun
        if queue.clock() - begun >= _NOTED_SECONDS:
            record.note(f"waited {format_duration(queue.clock() - begun)} for a place of the key {grant.name}")

    def release(self) -> None:
        """Give the places back, with the tokens that were used."""
        usage = self._context.record.usage
        used = 0
        if self._tokens and usage.input is not None:
            used = usage.input + (usage.cache_write or 0) + (usage.output or 0) - self._tokens
        elif self._context.record.answer_age is not None:
            used = -self._tokens  # an answer that was kept takes none
        for queue in self._held:
            queue.release(used)
        self._held = []


def _take(_: float) -> float | None:
    """The key itself is always there."""
    return None


def _explain(waited: QueueTimeout, grant: Grant, queue: AdmissionQueue, patience: float) -> RateLimited:
    """The error for a request that found no place in time: which limit, and when it ends."""
    left = waited.until - queue.clock()
    seconds = max(1, math.ceil(left)) if math.isfinite(left) else 1
    if waited.limit in ("rpm", "tpm"):
        amount = grant.rpm if waited.limit == "rpm" else grant.tpm
        when = f"the next place is free in {format_duration(seconds)}, but requests wait only {patience:g} s"
        return RateLimited(
            f"The key {grant.name} is at its limit ({waited.limit} = {amount}); {when}.", retry_after=seconds
        )
    if waited.limit == "max_queued":
        text = f"{queue.waiting:,} requests of the key {grant.name} already wait (queue.max_queued)"
    else:
        text = f"The key {grant.name} had no free place within {patience:g} s: {queue.running:,} running, its limit"
    return RateLimited(f"{text}; try again in a moment.", retry_after=seconds)
