"""Tokens: who may do what."""

from typing import Annotated

from pydantic import Field

from services.gateway.domain import Identity, Role
from services.gateway.http.bodies import formed, read_object
from services.gateway.http.pages import Page, Paging, page, start
from services.gateway.http.problems import Problem, unknown
from services.gateway.http.routing import Call, Route
from services.gateway.resources.audit import store as audit
from services.gateway.resources.audit.store import AuditRow
from services.gateway.resources.resource import Resource
from services.gateway.resources.tokens import store
from services.gateway.resources.tokens.views import DeletedView, MeView, NewTokenView, TokenBody, TokenView
from shared.core.transaction import Transaction


async def me(call: Call) -> MeView:
    """GET /v1/me."""
    return MeView(name=call.who.name, role=call.who.role)


async def list_tokens(call: Call) -> Page[TokenView]:
    """GET /v1/tokens."""
    (after,) = start(call.query, "")
    async with call.gateway.pool.acquire() as conn:
        rows = await store.page(conn, after, call.query.limit + 1)
    return page(Page[TokenView], rows, call.query, lambda row: [row["name"]])


async def create(call: Call) -> NewTokenView:
    """POST /v1/tokens."""
    body = formed(TokenBody, await read_object(call.request))
    async with call.gateway.ledger.transaction() as tx:
        minted = await call.gateway.tokens.create(tx.conn, body.name, body.role, call.who.name, tx.now)
        if minted is None:
            raise Problem.because("token_exists", f"there is a token named {body.name!r} already", "name", body.name)
        target = f"/v1/tokens/{minted.id}"
        await _audit(tx, call.who, f"create_token {body.role}", target, body.name)
    return NewTokenView(id=minted.id, name=body.name, role=body.role, token=minted.secret)


async def delete(call: Call) -> DeletedView:
    """DELETE /v1/tokens/{id}. The last admin's stays: nobody could make another."""
    token_id = call.path["id"]
    async with call.gateway.ledger.transaction() as tx:
        await store.lock(tx.conn)
        row = await store.find(tx.conn, token_id)
        if row is None:
            raise unknown("token", token_id)
        if row["role"] == Role.ADMIN and not await store.other_admins(tx.conn, token_id):
            raise Problem.because(
                "last_admin", "this is the last token of an admin; make another first", "id", token_id
            )
        await store.delete(tx.conn, token_id)
        await _audit(tx, call.who, "delete_token", call.request.path, row["name"])
    call.gateway.tokens.forget()
    return DeletedView(id=token_id, name=row["name"])


async def _audit(tx: Transaction, who: Identity, action: str, target: str, name: str) -> None:
    await audit.put(tx.conn, [AuditRow(who.name, who.role, action, target, name, None, "done")], tx.now)


ROUTES = (
    Route("GET", "/v1/me", me, "Who this token makes you", answer=MeView),
    Route("GET", "/v1/tokens", list_tokens, "Tokens by name", Role.ADMIN, query=Paging, answer=Page[TokenView]),
    Route("POST", "/v1/tokens", create, "Make a token", Role.ADMIN, body=TokenBody, answer=NewTokenView, status=201),
    Route("DELETE", "/v1/tokens/{id}", delete, "Delete a token", Role.ADMIN, answer=DeletedView),
)


TokenId = Annotated[str, Field(pattern="^[0-9a-f]{12}$", description="as the list of tokens shows it")]

RESOURCE = Resource({"tokens": "Who may do what", "me": "Who a token makes you"}, ROUTES, {"tokens/{id}": TokenId})
