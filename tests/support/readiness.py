"""What a replica says of itself at `/readyz`."""

from typing import Any

import aiohttp


async def readiness(url: str) -> tuple[int, list[dict[str, Any]]]:
    """Status, and what is wrong; (0, []) when nobody answers."""
    try:
        async with aiohttp.ClientSession() as http, http.get(f"{url}/readyz") as answer:
            return answer.status, (await answer.json()).get("findings", [])
    except aiohttp.ClientError:
        return 0, []
