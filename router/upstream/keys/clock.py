"""Whether this machine's clock is right, as far as an answer tells: what is signed here holds the time."""

from email.utils import parsedate_to_datetime

from router.policy.accounts.retry import format_duration

#: Seconds. AWS and Google take what is off by five minutes; the rest is the way here.
TOLERANCE = 120.0


def describe_skew(date: str, now: float) -> str:
    """How far this machine's clock is off, such as `10 min behind`; '' where it is right or nothing tells. date: the
    header of an answer that has just come. now: seconds since 1970, by this machine."""
    try:
        difference = now - parsedate_to_datetime(date[:64]).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return ""
    if abs(difference) <= TOLERANCE:
        return ""
    return f"{format_duration(abs(difference))} {'ahead' if difference > 0 else 'behind'}"
