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
    """Seconds of a choice in each round: of a bound conversation, of a new one, and of a new one while each answer
    tells anew what its account has left."""
    from router.policy.pool import Member, Pool, Want
    from router.wire.limits import Limit

    pool = Pool([Member(f"a{number}") for number in range(50)])
    for number, member in enumerate(pool.members):
        member.headroom.take((Limit("5h", number / 60, 1e6), Limit("7d", number / 70, 1e6)), 0.0)
    bound = [Want(f"{number:016x}", "opus") for number in range(2000)]
    for want in bound:
        pool.choose(0.0, want)
    found: dict[str, list[float]] = {"bound": [], "new": [], "told": []}
    for turn in range(rounds):
        began = time.perf_counter()
        for number in range(COUNT):
            pool.choose(1.0, bound[number * 7919 % 2000])
        found["bound"].append((time.perf_counter() - began) / COUNT)
        for name in ("new", "told"):
            fresh = [Want(f"{name} {turn} {number}", "opus") for number in range(COUNT)]
            began = time.perf_counter()
            for want in fresh:
                member = pool.choose(1.0, want).member
                if name == "told":
                    member.headroom.note(_ANSWER, 1.0)
            found[name].append((time.perf_counter() - began) / COUNT)
    return found
