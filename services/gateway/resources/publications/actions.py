"""What people may have published from elsewhere."""

from services.gateway.commands.action import Action
from shared.messages.catalog import ImportBundle

IMPORT = Action("import", ImportBundle)

ACTIONS = (IMPORT,)
