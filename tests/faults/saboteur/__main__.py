"""`python -m tests.faults.saboteur SERVICE`: the ordinary service, in a process that takes orders to suffer.

BELAY_SABOTAGE is a JSON list of orders that hold from the start.
"""

import json
import os
import runpy
import sys
from importlib import import_module

from shared.process.settings import Settings
from tests.faults.saboteur import control, hooks, points
from tests.faults.saboteur.sabotage import Sabotage
from tests.faults.saboteur.skew import skew


def main(service: str) -> None:
    """Become the service. Raises LookupError when a point is gone from the product."""
    points.check()
    settings = Settings()
    sabotage = Sabotage(skew)
    hooks.install(sabotage)
    import_module(f"services.{service}.app")
    for order in json.loads(os.environ.get("BELAY_SABOTAGE", "[]")):
        sabotage.obey(order)
    control.listen(control.socket_of(settings.home, f"{service}-{settings.instance}"), sabotage.obey)
    sys.argv = [service]
    runpy.run_module(f"services.{service}", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
