"""Serves client keys to operators: those with names of their own, and those made for one process."""
