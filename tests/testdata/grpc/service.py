"""A gRPC service whose messages are plain bytes: every kind of call, with metadata and errors."""

import sys
import threading
from concurrent import futures

import grpc


def unary(request, context):
    metadata = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-initial", "1"), ("x-got", metadata.get("x-sent", ""))))
    context.set_trailing_metadata((("x-trailing", "2"), ("x-data-bin", b"\x00\xff")))
    if request == b"fail":
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not like this: 100%")
    return b"<" + request + b">"


def server_stream(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def client_stream(requests, context):
    return b",".join(requests)


def both(requests, context):
    for request in requests:
        yield request + b"!"


ABORTED = threading.Event()


def waits(request, context):
    """Sends one message, and then waits until the client is gone."""
    context.add_callback(ABORTED.set)
    yield b"begun"
    while context.is_active():
        ABORTED.wait(0.1)


def aborted(request, context):
    return b"yes" if ABORTED.wait(5) else b"no"


server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
handlers = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "ServerStream": grpc.unary_stream_rpc_method_handler(server_stream),
    "ClientStream": grpc.stream_unary_rpc_method_handler(client_stream),
    "Both": grpc.stream_stream_rpc_method_handler(both),
    "Waits": grpc.unary_stream_rpc_method_handler(waits),
    "Aborted": grpc.unary_unary_rpc_method_handler(aborted),
}
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Service", handlers),))
address = f"127.0.0.1:{sys.argv[1]}"
if len(sys.argv) > 2:
    # A key and its certificate: TLS, and nothing without it.
    key, certificate = (open(path, "rb").read() for path in sys.argv[2:4])
    assert server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
else:
    assert server.add_insecure_port(address)
server.start()
server.wait_for_termination()
