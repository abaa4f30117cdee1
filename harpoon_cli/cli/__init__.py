"""The command line: one file a command in `commands/`, one border where errors become sentences and statuses."""
