"""The floor: a bare loop over aiohttp."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from driver import Order, read_order
from loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping


async def main(order: Order) -> None:
    """Do the flow."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(body: Mapping[str, Any]) -> list[str]:
            async with session.post(f"{order.url}/completions", json=body) as response:
                response.raise_for_status()
                answer = await response.json()
            return [choice["text"] for choice in answer["choices"]]

        await run(order, ask)


if __name__ == "__main__":
    asyncio.run(main(read_order()))
