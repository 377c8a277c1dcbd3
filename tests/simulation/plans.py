"""What is simulated: by the tests, and for the reference page."""

from .world import Plan

#: A team of one room, whose budgets are used up within half a minute.
SMALL = Plan(processes=8, keys=20, limit=500_000, key_limit=60_000, rate=1.0, seconds=30.0)
FAULTS = {
    "nothing": {},
    "a fifth of the replies lost, clocks two minutes wrong": {"lost": 0.2, "skew": 120.0, "latency": 0.05},
    "two fifths cut off for 20 s": {"partitions": ((5, 25, 0.4),), "skew": 60.0},
    "the server away for 5 s, and emptied twice": {"outages": ((12, 17),), "flushes": (8, 22)},
    "the server replaced by one 1 s and 3 s behind": {"failovers": ((8, 1.0), (20, 3.0))},
    "half of the processes killed and started again": {"kills": ((8, 2), (16, 2))},
}
#: Some are cut off for longer than their shares last.
LONG = SMALL._replace(limit=600_000, key_limit=10**7, partitions=((10, 50, 0.4),), skew=60.0, seconds=60.0)
#: Five hundred processes and five thousand keys.
LARGE = Plan(
    processes=500,
    keys=5000,
    limit=1_500_000,
    key_limit=60_000,
    rate=0.5,
    seconds=5.0,
    skew=120.0,
    lost=0.01,
    partitions=((1.5, 4.5, 0.2),),
    kills=((2.5, 10),),
)
