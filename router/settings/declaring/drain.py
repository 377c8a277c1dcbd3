"""What the times of a drain are made of."""

from router.settings.kinds import Kind, parse_duration

#: The longest that open answers may have to end; what supervises a process ends it by force some time.
DRAIN_LIMIT = 300.0


def _parse_drain(text: str) -> float:
    if text.strip() in ("0", "0s"):
        return 0.0
    seconds = parse_duration(text)
    if seconds > DRAIN_LIMIT:
        raise ValueError
    return seconds


DRAIN = Kind("a time up to 300s, such as 10s, or 0", "time", _parse_drain)
