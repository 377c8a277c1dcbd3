"""The command `fairlead run`."""
