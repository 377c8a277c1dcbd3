"""The process: listening, reloading, stopping."""
