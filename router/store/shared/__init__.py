"""What the processes of one home share through history.db."""
