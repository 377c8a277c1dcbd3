"""The guard at work: halts, reservations, rounds with other processes."""
