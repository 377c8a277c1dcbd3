"""The commands of `fairlead config`."""
