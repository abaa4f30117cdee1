"""What came back, as counts and as files; nothing here judges it."""
