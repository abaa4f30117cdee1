"""One command a file, found by its name: `route_explain.py` is `harpoon route-explain`.

The first line of a file is the command's line in `harpoon --help`; the file defines `app`, a Typer.
"""
