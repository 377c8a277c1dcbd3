"""Where the toy protocol's accounts tell of their limits: toy-limit-tokens-remaining and the like."""

from router.wire.headers.rate_limits import LimitNames

NAMES = LimitNames(b"toy-limit-", part_last=True, resets="duration")
