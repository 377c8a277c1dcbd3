"""The commands of `fairlead accounts`."""
