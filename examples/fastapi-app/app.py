"""An API with a cache, limits and sessions in Ochre."""

import asyncio
import contextlib
import json
import os
import secrets
import time

import redis.asyncio as redis
from fastapi import Cookie, Depends, FastAPI, Header, HTTPException, Response

REPORT_TTL_S = 60
LIMIT, WINDOW_S = 5, 2
SESSION_TTL_S = 2


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.store = redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"), decode_responses=True)
    yield
    await app.state.store.aclose()


app = FastAPI(lifespan=lifespan)


def store() -> redis.Redis:
    return app.state.store


@app.get("/")
async def root(store: redis.Redis = Depends(store)):
    return {"alive": await store.ping()}


async def make_report(number: int) -> dict:
    await asyncio.sleep(1)
    return {"number": number, "sum": sum(range(number + 1)), "made_at": time.time()}


@app.get("/report/{number}")
async def report(number: int, response: Response, store: redis.Redis = Depends(store)):
    key = f"report:{number}"
    known = await store.get(key)
    response.headers["X-Cache"] = "hit" if known else "miss"
    if known:
        return json.loads(known)
    made = await make_report(number)
    await store.set(key, json.dumps(made), ex=REPORT_TTL_S)
    return made


async def limited(user: str = Header(), store: redis.Redis = Depends(store)):
    key = f"limit:{user}:{int(time.time()) // WINDOW_S}"
    async with store.pipeline(transaction=True) as transaction:
        count, _ = await transaction.incr(key).expire(key, WINDOW_S, nx=True).execute()
    if count > LIMIT:
        raise HTTPException(429, "slow down", headers={"Retry-After": str(WINDOW_S)})


@app.get("/limited", dependencies=[Depends(limited)])
async def limited_page():
    return {"welcome": True}


@app.post("/login/{user}")
async def login(user: str, response: Response, store: redis.Redis = Depends(store)):
    token = secrets.token_urlsafe(16)
    await store.set(f"session:{token}", user, ex=SESSION_TTL_S)
    response.set_cookie("session", token, httponly=True)
    return {"user": user}


@app.get("/me")
async def me(session: str = Cookie(""), store: redis.Redis = Depends(store)):
    user = await store.getex(f"session:{session}", ex=SESSION_TTL_S)
    if user is None:
        raise HTTPException(401, "log in first")
    return {"user": user}


@app.post("/logout")
async def logout(session: str = Cookie(""), store: redis.Redis = Depends(store)):
    return {"ended": await store.delete(f"session:{session}") == 1}


@app.get("/dashboard")
async def dashboard(store: redis.Redis = Depends(store)):
    counters = await asyncio.gather(*[store.incr(f"counter:{number}") for number in range(100)])
    return {"sum": sum(counters)}
