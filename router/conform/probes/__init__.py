"""The probes, a file for each group; table.py has them in the order in which they run."""
