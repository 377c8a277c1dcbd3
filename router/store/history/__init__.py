"""The rows of finished requests: written, added up, read."""
