"""A worker's portions of the limits that all processes of a port keep together: of backends, accounts and client keys.

Rules of this file: a request waits for the parent only when the portion is used up, and then as it waits for any limit.
A limit that is new begins with nothing, so that no worker takes it for its own.
"""

from collections.abc import Callable, Iterable

from router.host.clock import boot_time
from router.policy.accounts.member import Member
from router.policy.accounts.portions import Key, Portion
from router.policy.accounts.rate_limit import MINUTE, Portions, RateLimit
from router.policy.accounts.send_token import SendToken
from router.upstream.queue import AdmissionQueue
from router.upstream.services import Service

RPM, TPM, PLACES, LINE, INTERVAL = "rpm", "tpm", "places", "line", "interval"


def count_for(key: Key) -> float:
    """For how many seconds what a process used of a limit counts once it has ended."""
    return 0.0 if key[2] in (PLACES, LINE) else MINUTE + 1.0


class LimitShares:
    """The portions of one worker. send: tells the parent."""

    def __init__(self, send: Callable[[str, object], None]):
        self._send = send
        self._portions: dict[Key, Portion] = {}
        # Key -> the limit of this port, what is used of it, and what to do once the portion is another.
        self._limits: dict[Key, Callable[[], int]] = {}
        self._used: dict[Key, Callable[[], int]] = {}
        self._changed: dict[Key, Callable[[], None]] = {}
        self._tokens: dict[Key, SendToken] = {}
        # Key of a token -> whether a request waits for it.
        self._waiting: dict[Key, Callable[[], bool]] = {}

    def attach(self, services: Iterable[Service]) -> None:
        """Share the limits of these backends and their accounts from now on."""
        for service in services:
            self.attach_queue("backend", service.name, service.queue)
            for member in service.pool.members:
                rate = member.rate_limit
                if rate is not None and rate.portions is None:
                    name = f"{service.name}/{member.alias}"
                    check = _make_account_check(member, service.queue)
                    self._attach_rate("account", name, rate, check, lambda: False)

    def attach_queue(self, kind: str, name: str, queue: AdmissionQueue) -> None:
        """Share the limits of a queue."""
        if queue.portion is not None:
            return

        def changed() -> None:
            queue.set_places(queue.places)
            queue.recheck()

        places, line = (kind, name, PLACES), (kind, name, LINE)
        queue.portion = self._share(places, lambda: queue.places, lambda: queue.running, changed)
        queue.line = self._share(line, lambda: queue.most, lambda: queue.lined_up, queue.note_line)
        self._attach_rate(kind, name, queue.rate_limit, queue.recheck, lambda: queue.waiting > 0)
        queue.set_places(queue.places)

    def _attach_rate(
        self, kind: str, name: str, rate: RateLimit, changed: Callable[[], None], waiting: Callable[[], bool]
    ) -> None:
        def measure(unit: str) -> Callable[[], int]:
            return lambda: rate.used_here(boot_time()).get(unit, (0, 0))[0]

        def leave(unit: str, limit: int | None) -> int:
            return max(0, (limit or 0) - rate.used_elsewhere(boot_time()).get(unit, 0))

        rate.portions = Portions(
            self._share((kind, name, RPM), lambda: leave(RPM, rate.limits.rpm), measure(RPM), changed),
            self._share((kind, name, TPM), lambda: leave(TPM, rate.limits.tpm), measure(TPM), changed),
            self._share_token((kind, name, INTERVAL), rate, changed, waiting),
        )
        changed()

    def _share_token(
        self, key: Key, rate: RateLimit, changed: Callable[[], None], waiting: Callable[[], bool]
    ) -> SendToken:
        self._changed[key], self._waiting[key] = changed, waiting
        token = self._tokens.get(key)
        if token is None:
            token = self._tokens[key] = SendToken(
                lambda: self._send("want token", (key, rate.limits.interval)),
                lambda following: self._send("pass token", (key, following)),
            )
        return token

    def _share(
        self, key: Key, limit: Callable[[], int], used: Callable[[], int], changed: Callable[[], None]
    ) -> Portion:
        self._limits[key], self._used[key], self._changed[key] = limit, used, changed
        portion = self._portions.get(key)
        if portion is None:
            portion = self._portions[key] = Portion(
                lambda need: self._send("more", (key, self._limits[key](), need)), lambda: self.give_back(key)
            )
        return portion

    def grow(self, key: Key, amount: int) -> None:
        """Take what the parent gives."""
        if key in self._portions:
            self._portions[key].grow(amount)
            self._changed[key]()

    def take_token(self, key: Key, following: float) -> None:
        """Hold a token that the parent hands over."""
        if key in self._tokens:
            self._tokens[key].take(following)
            self._changed[key]()

    def recall_token(self, key: Key) -> None:
        """Pass a token on, at once or after one more request."""
        if key in self._tokens:
            self._tokens[key].recall(waiting=self._waiting[key]())
            self._changed[key]()

    def give_back(self, key: Key) -> None:
        """Answer a recall."""
        spare = 0
        if key in self._portions:
            spare = self._portions[key].give_back(self._used[key]())
            self._changed[key]()
        self._send("spare", (key, spare))


def _make_account_check(member: Member, queue: AdmissionQueue) -> Callable[[], None]:
    def check() -> None:
        member.look_at_limits(boot_time())
        queue.recheck()

    return check
