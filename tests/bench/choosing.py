"""The choice of an account by itself, 50 accounts and 2,000 bindings: no floor has one, so the figures stand alone."""

import time

COUNT = 4_000
_ANSWER = {
    b"date": b"Thu, 01 Jan 2026 00:00:00 GMT",
    b"anthropic-ratelimit-unified-5h-utilization": b"0.18",
    b"anthropic-ratelimit-unified-5h-reset": b"1767243600",
    b"anthropic-ratelimit-unified-7d-utilization": b"0.09",
    b"anthropic-ratelimit-unified-7d-reset": b"1767830400",
}


def choices(rounds: int) -> dict[str, list[float]]:
    """Seconds of a choice in each round: of a bound conversation, of a new one, and of a new one when each answer
    told anew what its account has left."""
    found: dict[str, list[float]] = {"bound": [], "new": [], "told": []}
    for _ in range(rounds):
        for name, seconds in _round().items():
            found[name].append(seconds)
    return found


def _round() -> dict[str, float]:
    from router.policy.accounts.pool import Member, Pool, Want
    from router.wire.headers.rate_limits import Limit

    pool = Pool([Member(f"a{number}") for number in range(50)])
    for number, member in enumerate(pool.members):
        member.headroom.note_limits((Limit("5h", number / 60, 1e6), Limit("7d", number / 70, 1e6)), 0.0)
    known = [Want(f"{number:016x}", "opus") for number in range(2000)]
    for want in known:
        pool.choose(0.0, want)
    wants = {
        "bound": [known[number * 7919 % 2000] for number in range(COUNT)],
        "new": [Want(f"new {number}", "opus") for number in range(COUNT)],
        "told": [Want(f"told {number}", "opus") for number in range(COUNT)],
    }
    found: dict[str, float] = {}
    for name, asked in wants.items():
        began = time.perf_counter()
        for want in asked:
            choice = pool.choose(1.0, want)
            if name == "told" and choice is not None:
                choice.member.headroom.note_headers(_ANSWER, 1.0)
        found[name] = (time.perf_counter() - began) / COUNT
    return found
