"""`python -m services.catalog`: the catalog as a process of its own."""

from services.catalog.app import wire
from shared.process.service import main

if __name__ == "__main__":
    main("catalog", wire)
