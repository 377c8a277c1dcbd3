"""Which of 10,000 client keys a request carries, by itself: no floor has one, so the figures stand alone."""

import time

COUNT = 10_000


def checks(rounds: int) -> dict[str, list[float]]:
    """Seconds of a check in each round: of a request with a key, and of one without."""
    from router.policy.grants.key_form import digest_key
    from router.settings import Settings
    from router.store.keys.client_keys import LoadedKeys, StoredKey, generate
    from router.upstream.client_keys.registry import ClientKeys
    from router.upstream.client_keys.table import build_table

    keys = [generate().reveal().encode() for _ in range(COUNT)]
    files = {f"key{number}": ((0, 0, 0), StoredKey(digest_key(key).hex(), 0.0, "")) for number, key in enumerate(keys)}
    registry = ClientKeys()
    registry.apply(build_table(LoadedKeys(files), Settings()), Settings())
    asked = {
        "with a key": [{b"host": b"localhost", b"authorization": b"Bearer " + key} for key in keys],
        "without one": [{b"host": b"localhost", b"authorization": b"Bearer fairlead"}] * COUNT,
    }
    found: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(rounds):
        for name, requests in asked.items():
            began = time.perf_counter()
            for fields in requests:
                registry.identify(fields)
            found[name].append((time.perf_counter() - began) / COUNT)
    return found
