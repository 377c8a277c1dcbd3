"""What probes send beside plain text, in the form of each protocol."""
