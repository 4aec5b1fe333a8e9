"""`python -m services.deployer`: one replica of the deployer."""

import gc

from services.deployer.app import wire
from shared.service import main

if __name__ == "__main__":
    # A batch is tens of thousands of short-lived objects without cycles; at its default thresholds the collector
    # walks through all of them again and again, a quarter of the CPU time under load.
    gc.set_threshold(100_000, 50, 100)
    main("deployer", wire)
