"""`python -m services.notifier` runs one replica."""

from services.notifier.app import wire
from shared.process.service import main

if __name__ == "__main__":
    main("notifier", wire)
