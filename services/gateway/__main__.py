"""`python -m services.gateway` runs one replica."""

from services.gateway.app import wire
from shared.process.service import main

if __name__ == "__main__":
    main("gateway", wire)
