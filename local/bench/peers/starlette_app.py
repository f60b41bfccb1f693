"""A peer: Starlette and asyncpg. It commits a webhook's row and answers 204."""

import hashlib
import hmac
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECRET = os.environ["PEER_SECRET"]
INSERT = (
    "INSERT INTO bench_webhook (scope, hash, payload) VALUES ($1, $2, $3)"
    " ON CONFLICT (hash) DO NOTHING"
)


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["DATABASE_URL"]
    async with asyncpg.create_pool(url, min_size=4, max_size=8) as app.state.pool:
        yield


async def webhook(request: Request) -> Response:
    if not hmac.compare_digest(request.headers.get("x-webhook-secret", ""), SECRET):
        return Response(status_code=401)
    body = await request.body()
    hmac.digest(SECRET.encode(), body, hashlib.sha256)
    event = json.loads(body)
    await request.app.state.pool.execute(INSERT, event["scope"], event["hash"], body.decode())
    return Response(status_code=204)


app = Starlette(routes=[Route("/webhook", webhook, methods=["POST"])], lifespan=lifespan)
