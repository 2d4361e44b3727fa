"""The command line; one file for each family of commands."""

from phosphene.cli.root import main

__all__ = ["main"]
