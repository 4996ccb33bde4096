"""The command line: one file per command. Nothing here imports torch before a command needs it."""

from lenrek.cli.app import main

__all__ = ["main"]
