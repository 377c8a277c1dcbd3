"""Choosing the account for each attempt of a request."""
