"""What users of httpx do, through the gateway: `with_httpx.py URL 1|2 HASH`, the protocol and the hash of
the first 10,000,000 bytes that the backend has; ends with 0 when all was as it should be."""

import hashlib
import os
import sys
import threading

import httpx

SIZE = 10_000_000
url, protocol, known = sys.argv[1:]
http2 = protocol == "2"


def check(name, got, expected):
    if got != expected:
        sys.exit(f"{name}: {got!r} and not {expected!r}")


def told(body):
    return f"{len(body)} bytes {hashlib.sha256(body).hexdigest()}"


def parts():
    for number in range(100):
        yield b"%d," % number * 1000


with httpx.Client(http1=not http2, http2=http2, base_url=url, timeout=30) as client:
    answer = client.get(f"bytes/{SIZE}")
    check("version", answer.http_version, "HTTP/2" if http2 else "HTTP/1.1")
    check("GET", told(answer.content), known)

    body = os.urandom(3_000_000)
    check("POST", client.post("hash", content=body).text, told(body))
    # A body whose length is not known before its end.
    check("POST in parts", client.post("hash", content=parts()).text, told(b"".join(parts())))

    hashed, length = hashlib.sha256(), 0
    with client.stream("GET", f"bytes/{SIZE}") as answer:
        for part in answer.iter_bytes(4096):
            hashed.update(part)
            length += len(part)
    check("stream", f"{length} bytes {hashed.hexdigest()}", known)

    with client.stream("GET", "paced/100") as answer:
        events = [line for line in answer.iter_lines() if line]
    check("events", events, [f"data: {number}" for number in range(100)])

    # Many at once, over the connections that there are.
    failed = []

    def many(number):
        body = b"%d" % number
        text = client.post("hash", content=body).text
        if text != told(body):
            failed.append(text)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("many", failed, [])

    # The client goes on behind an answer that it did not read to its end.
    with client.stream("GET", f"bytes/{SIZE}") as answer:
        next(answer.iter_bytes(1000))
    check("behind one that was left", client.post("hash", content=b"x").text, told(b"x"))
