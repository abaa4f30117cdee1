"""The settings of a command: their model, their sources, what they add up to. Imports nothing itself."""
