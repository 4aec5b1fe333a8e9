"""`python -m services.strategy_orchestrator` runs one replica."""

from services.strategy_orchestrator.app import wire
from shared.process.service import main

if __name__ == "__main__":
    main("strategy_orchestrator", wire)
