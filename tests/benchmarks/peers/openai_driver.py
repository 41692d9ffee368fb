"""The usual way: a loop over the openai package's asynchronous client as it comes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import openai
from driver import Order, read_order
from loop import run

if TYPE_CHECKING:
    from collections.abc import Mapping


async def main(order: Order) -> None:
    """Do the flow."""
    async with openai.AsyncOpenAI(base_url=order.url, api_key="EMPTY") as client:

        async def ask(body: Mapping[str, Any]) -> list[str]:
            answer = await client.completions.create(**body)
            return [choice.text for choice in answer.choices]

        await run(order, ask)


if __name__ == "__main__":
    asyncio.run(main(read_order()))
