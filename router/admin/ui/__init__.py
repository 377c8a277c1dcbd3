"""Serves the local page: who may open it, its files, and its data. Loaded by the first request to it."""
