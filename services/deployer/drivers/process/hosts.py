"""`python -m services.deployer.drivers.process.hosts stop|start HOME`: what the process driver runs under a home.

They outlive the deployer on purpose. Who takes a whole home down, or moves it, stops them with this.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from services.deployer.drivers.failed import Failed
from services.deployer.drivers.process.care import start_all, stop_all


async def _stop(home: Path) -> None:
    await stop_all(home)


VERBS = {"stop": _stop, "start": start_all}


def main(arguments: list[str]) -> int:
    """Exit status 0, or 1 with the reason on stderr."""
    parser = argparse.ArgumentParser(prog="python -m services.deployer.drivers.process.hosts", description=__doc__)
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("home", type=Path)
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(VERBS[chosen.verb](chosen.home))
    except Failed as failed:
        sys.stderr.write(f"belay: {failed}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
