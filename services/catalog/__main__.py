"""`python -m services.catalog`: the catalog as a process of its own."""

from services.catalog.app import wire
from shared.process.service import main
from shared.process.settings import Settings
from shared.process.temporary import own_temporary_folder

if __name__ == "__main__":
    own_temporary_folder(Settings(), "catalog")
    main("catalog", wire)
