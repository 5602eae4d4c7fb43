"""One file for each command: its `command`."""
