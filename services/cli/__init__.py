"""The `belay` command line: the way to the gateway's API for people and scripts; see README.md."""

import sys
from typing import NoReturn


def main() -> NoReturn:
    """Console script: run the command line of this process and end with its exit status."""
    from services.cli.commands import root  # Ctrl-C during these imports must be quiet too
    from services.cli.noun import run_app

    run_app(root)
    sys.exit(0)
