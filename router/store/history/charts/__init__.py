"""Sums of the history over time, for charts."""
