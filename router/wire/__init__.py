"""Formats of the three protocols, without I/O: one file each, and what they share."""
