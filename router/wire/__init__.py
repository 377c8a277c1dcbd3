"""The wire formats of the protocols, without I/O: one folder for each, and the code they share."""
