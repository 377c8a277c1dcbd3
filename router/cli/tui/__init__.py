"""The full-screen view: `fairlead` without a command on a terminal."""
