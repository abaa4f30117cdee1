"""The command line: one file a command in `commands/`, and one border where errors become sentences."""
