"""The checks: a function each, in files by topic."""
