"""The machine: clock, processes, memory, notifications, health, and which callers are let in."""
