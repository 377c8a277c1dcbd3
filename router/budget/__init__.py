"""The guard of a running proxy: halts, reservations, the exchange of budgets with other processes."""
