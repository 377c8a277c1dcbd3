"""The operator's API of a running proxy: one table of endpoints, a struct for each answer, and a client."""
