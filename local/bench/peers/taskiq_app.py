"""A peer: taskiq, aiohttp and asyncpg. It makes the calls of a changed order and commits one row.

`python taskiq_app.py COUNT` queues so many orders; `taskiq worker taskiq_app:broker` works on them.
"""

import asyncio
import json
import os
import sys

import aiohttp
import asyncpg
from taskiq import TaskiqEvents, TaskiqState
from taskiq_redis import ListQueueBroker

UPSTREAM, UPDATE = os.environ["UPSTREAM"], json.loads(os.environ["UPDATE"])
broker = ListQueueBroker(os.environ["REDIS_URL"])


async def connect(state: TaskiqState) -> None:
    state.calls = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    state.pool = await asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=64)


async def synchronise(number: int) -> None:
    calls, pool = broker.state.calls, broker.state.pool
    async with pool.acquire() as connection, connection.transaction():
        await connection.fetchrow("SELECT * FROM bench_order WHERE id = $1 FOR UPDATE", number)
        for path in ("v2/orders/{}", "v3/orders/{}/payment_actions/refunds"):
            async with calls.get(f"{UPSTREAM}/stores/one/{path.format(number)}") as response:
                await response.json()
        address = f"{UPSTREAM}/merchants/demo_es/orders/{number}"
        async with calls.put(address, json=UPDATE) as response:
            await response.read()
        await connection.execute("UPDATE bench_order SET is_done = true WHERE id = $1", number)


broker.add_event_handler(TaskiqEvents.WORKER_STARTUP, connect)
task = broker.register_task(synchronise, task_name="synchronise")


async def queue(count: int) -> None:
    await broker.startup()
    for number in range(count):
        await task.kiq(number)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(queue(int(sys.argv[1])))
