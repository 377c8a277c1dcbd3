"""JSON as it stands in bodies and events: its bounds, its top level, its values."""
