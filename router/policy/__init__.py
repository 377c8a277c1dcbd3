"""Decisions without I/O: what is given goes in as arguments, what is decided comes back as data."""
