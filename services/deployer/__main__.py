"""`python -m services.deployer`: one replica of the deployer."""

from services.deployer.app import wire
from shared.process.service import main

if __name__ == "__main__":
    main("deployer", wire)
