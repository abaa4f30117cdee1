"""harpoon: the operator's command line for leased GPU inference."""

__version__ = "0.1.0"
