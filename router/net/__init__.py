"""Sockets: the HTTP/1.1 server, the upstream client and its idle pool, TLS. Knows no LLM protocol."""
