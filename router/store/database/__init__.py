"""history.db: where it lies, how it is opened, migrated and written."""
