"""Paths of requests: their one spelling, and what stands behind them without a model's answer."""
