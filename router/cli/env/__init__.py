"""The command `fairlead env`."""
