"""The machine: clock, processes, memory, descriptors, who may get in."""
