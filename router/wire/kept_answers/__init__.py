"""What a cache of answers needs to know of each protocol."""
