"""Captures as files: what one holds, how it is written and read, and when it is removed."""
