"""Calls the service through the gateway in every way; ends with 0 when all was as it should be."""

import queue
import sys
import time

import grpc

SIZE = 3_000_000
channel = grpc.insecure_channel(sys.argv[1])
call = "/test.Service/"


def check(name, got, expected):
    if got != expected:
        sys.exit(f"{name}: {got!r} and not {expected!r}")


unary = channel.unary_unary(call + "Unary")
answer, details = unary.with_call(b"hello", metadata=(("x-sent", "3"),), timeout=10)
check("unary", answer, b"<hello>")
initial = dict(details.initial_metadata())
check("initial metadata", (initial.get("x-initial"), initial.get("x-got")), ("1", "3"))
trailing = dict(details.trailing_metadata())
check("trailing metadata", (trailing.get("x-trailing"), trailing.get("x-data-bin")), ("2", b"\x00\xff"))
check("empty", unary(b"", timeout=10), b"<>")
check("large", unary(b"x" * SIZE, timeout=10), b"<" + b"x" * SIZE + b">")

try:
    unary(b"fail", timeout=10)
    sys.exit("an error was expected")
except grpc.RpcError as error:
    check("status", (error.code(), error.details()), (grpc.StatusCode.FAILED_PRECONDITION, "not like this: 100%"))
    check("its metadata", dict(error.trailing_metadata()).get("x-trailing"), "2")

got = list(channel.unary_stream(call + "ServerStream")(b"1000", timeout=10))
check("server stream", got, [b"%d" % number for number in range(1000)])

parts = [b"%d" % number for number in range(1000)]
check("client stream", channel.stream_unary(call + "ClientStream")(iter(parts), timeout=10), b",".join(parts))

# Each side waits for the other's message before it sends its next one.
sends = queue.Queue()
answers = channel.stream_stream(call + "Both")(iter(sends.get, None), timeout=10)
for number in range(100):
    sends.put(b"%d" % number)
    check("both", next(answers), b"%d!" % number)
sends.put(None)
check("end of both", list(answers), [])

# The service notices a client that gives up.
waits = channel.unary_stream(call + "Waits")(b"", timeout=10)
check("begun", next(waits), b"begun")
waits.cancel()
check("aborted", channel.unary_unary(call + "Aborted")(b"", timeout=10), b"yes")

# A deadline of the client passes while the service waits.
try:
    for _ in channel.unary_stream(call + "Waits")(b"", timeout=0.5):
        pass
    sys.exit("a deadline was expected")
except grpc.RpcError as error:
    check("deadline", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

# What the gateway answers itself is a status of gRPC.
for path, expected in (
    ("/nowhere/Unary", grpc.StatusCode.UNIMPLEMENTED),
    ("/down/Unary", grpc.StatusCode.UNAVAILABLE),
    ("/slow/Unary", grpc.StatusCode.DEADLINE_EXCEEDED),
    ("/small/Unary", grpc.StatusCode.RESOURCE_EXHAUSTED),
):
    try:
        channel.unary_unary(path)(b"x" * 2000, timeout=10)
        sys.exit(f"{path}: an error was expected")
    except grpc.RpcError as error:
        check(path, error.code(), expected)
        if "request id" not in error.details():
            sys.exit(f"{path}: {error.details()}")

# Many at once, over the connections that there are.
began = time.monotonic()
calls = [unary.future(b"%d" % number, timeout=20) for number in range(2000)]
for number, future in enumerate(calls):
    check("many", future.result(), b"<%d>" % number)
print(f"2000 calls in {time.monotonic() - began:.2f} s")
