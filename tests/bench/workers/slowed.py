"""fairlead whose clocks run slower, by SLOWED times: under callgrind all else is slower too.

Run as `python slowed.py proxy …`. What happens twice a second then comes after as many requests as it does in use.
"""

import os
import sys
import time

TIMES = float(os.environ.get("SLOWED", "1"))

_perf_counter, _monotonic, _sleep, _gettime = time.perf_counter, time.monotonic, time.sleep, time.clock_gettime
time.perf_counter = lambda: _perf_counter() / TIMES
time.monotonic = lambda: _monotonic() / TIMES
time.sleep = lambda seconds: _sleep(seconds * TIMES)
time.clock_gettime = lambda clock: _gettime(clock) / TIMES

from router.__main__ import main  # noqa: E402 - after the clocks
from router.host.clock import AwakeClock  # noqa: E402

_until = AwakeClock.deadline_to_sleep_time
AwakeClock.deadline_to_sleep_time = lambda self, deadline: TIMES * _until(self, deadline)

if __name__ == "__main__":
    sys.exit(main())
