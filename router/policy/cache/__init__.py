"""Why a prompt was not read from the provider's cache, by keyed hashes of its parts; no text of it is kept."""
