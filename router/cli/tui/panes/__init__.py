"""The six panes: each draws pictures, and reads nothing itself."""
