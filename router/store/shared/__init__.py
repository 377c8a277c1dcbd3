"""The data that the processes of one home share: through history.db, and captures as files."""
