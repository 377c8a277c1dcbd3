"""Header fields of providers: limits, resets, times."""
