"""The completion scripts in real shells."""
