"""history.db: its location, and how it is opened, migrated and written."""
