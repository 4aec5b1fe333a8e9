"""The `belay` command line: the way to the gateway's API for people and scripts; see README.md."""

import io
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Console script: run the command line of this process and end with its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What this terminal cannot show, or a name of a file that is no text, is written as its number, as on stderr.
        sys.stdout.reconfigure(errors="backslashreplace")
    from services.cli.commands import root  # Ctrl-C during these imports must be quiet too
    from services.cli.noun import run_app

    run_app(root)
    sys.exit(0)
