"""The client keys of a running proxy: those of its home, those made for processes, and their limits."""
