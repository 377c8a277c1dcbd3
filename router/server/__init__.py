"""The serving process: listening, reloading, stopping."""
