"""Calls beside the path of requests, by httpx."""
