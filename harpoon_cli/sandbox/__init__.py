"""The embedded platform: the default contract, played on this machine. `embedded.open_sandbox` opens it."""
