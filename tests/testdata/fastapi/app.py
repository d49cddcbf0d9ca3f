"""A small service as teams write them: what it answers must pass the gateway untouched."""

import asyncio
import hashlib

from fastapi import FastAPI, File, Request, Response, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()
begun = 0
gone = 0


class Order(BaseModel):
    symbol: str
    amount: int


@app.get("/fin/quotes/{symbol}")
def quote(symbol: str, currency: str = "USD"):
    return {"symbol": symbol, "currency": currency}


@app.post("/fin/orders", status_code=201)
def place(order: Order, response: Response):
    response.headers["location"] = "/fin/orders/1"
    response.set_cookie("a", "1")
    response.set_cookie("b", "2")
    return order


@app.put("/fin/orders/{number}")
def change(number: int, order: Order):
    return {"number": number, "order": order}


@app.delete("/fin/orders/{number}", status_code=204)
def cancel(number: int):
    return None


@app.get("/fin/stream")
async def stream():
    async def parts():
        for number in range(5):
            yield f"part {number}\n"
            await asyncio.sleep(0.01)

    return StreamingResponse(parts(), media_type="text/plain")


@app.post("/fin/upload")
async def upload(file: UploadFile = File()):
    digest = hashlib.sha256()
    size = 0
    while part := await file.read(1 << 20):
        digest.update(part)
        size += len(part)
    return {"name": file.filename, "size": size, "sha256": digest.hexdigest()}


@app.get("/fin/slow")
async def slow(request: Request):
    global begun, gone
    begun += 1
    for _ in range(1000):
        if await request.is_disconnected():
            gone += 1
            return "gone"
        await asyncio.sleep(0.01)
    return "stayed"


@app.get("/fin/counts")
def counts():
    return {"begun": begun, "gone": gone}
