"""The HTTP API: one module a resource, each with its routes in a table (ROUTES)."""

from services.gateway.api import (
    commands,
    dead_letters,
    fleet,
    hosts,
    notices,
    operations,
    releases,
    storage,
    strategies,
    stream,
    subscriptions,
    system,
    tokens,
    uploads,
)

ROUTES = (
    *uploads.ROUTES,
    *releases.ROUTES,
    *storage.ROUTES,
    *hosts.ROUTES,
    *fleet.ROUTES,
    *strategies.ROUTES,
    *operations.ROUTES,
    *notices.ROUTES,
    *subscriptions.ROUTES,
    *commands.ROUTES,
    *dead_letters.ROUTES,
    *tokens.ROUTES,
    *stream.ROUTES,
    *system.ROUTES,
)
"""Every route of the API that needs a token."""
