"""The data that the proxies of a team share, on a Valkey or Redis server. Imported where `shared.url` is set alone."""
