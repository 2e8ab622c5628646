"""A chat room over WebSockets; processes meet on a channel."""

import asyncio
import contextlib
import os

import redis.asyncio as redis
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse

CHANNEL, HISTORY, HISTORY_LINES = "room", "room:history", 50
PAGE = """<!doctype html><title>Chat</title>
<h1>Room</h1><ul id=lines></ul><form id=form><input id=text autocomplete=off autofocus><button>Send</button></form>
<script>
const socket = new WebSocket(`ws://${location.host}/room`);
socket.onopen = () => { document.title = 'Chat: connected'; };
socket.onmessage = event => {
  const item = document.createElement('li'); item.textContent = event.data; lines.append(item);
};
form.onsubmit = event => { event.preventDefault(); socket.send(text.value); text.value = ''; };
</script>"""


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI):
    app.state.store = redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"), decode_responses=True)
    yield
    await app.state.store.aclose()


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def page():
    return HTMLResponse(PAGE)


async def say(text: str):
    async with app.state.store.pipeline(transaction=True) as transaction:
        transaction.rpush(HISTORY, text).ltrim(HISTORY, -HISTORY_LINES, -1).publish(CHANNEL, text)
        await transaction.execute()


@app.websocket("/room")
async def room(socket: WebSocket):
    await socket.accept()
    async with app.state.store.pubsub() as messages:
        await messages.subscribe(CHANNEL)
        for line in await app.state.store.lrange(HISTORY, 0, -1):
            await socket.send_text(line)

        async def relay():
            async for message in messages.listen():
                if message["type"] == "message":
                    await socket.send_text(message["data"])

        relaying = asyncio.create_task(relay())
        try:
            while True:
                await say(await socket.receive_text())
        except WebSocketDisconnect:
            pass
        finally:
            relaying.cancel()
