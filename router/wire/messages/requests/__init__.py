"""Requests of Anthropic Messages, decoded and encoded."""
