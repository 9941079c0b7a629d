"""client.py GO GRPC: calls the two callees at these addresses, and says `ok` of each thing."""

import asyncio
import sys
import threading

import aiohttp
import grpc
import requests

GO, INTEROP = sys.argv[1:]
SERVICE = "/grpc.testing.TestService/"


def requests_keeps_a_connection():
    with requests.Session() as session:
        for n in (0, 1, 100_000):
            assert len(session.get(f"http://{GO}/bytes?n={n}", timeout=10).content) == n


def requests_streams_both_ways():
    sent = (b"x" * 10_000 for _ in range(100))
    with requests.post(f"http://{GO}/echo", data=sent, stream=True, timeout=10) as answer:
        assert sum(len(piece) for piece in answer.iter_content(8192)) == 1_000_000


def requests_times_out():
    try:
        requests.get(f"http://{GO}/held", timeout=0.2)
    except requests.exceptions.ReadTimeout:
        return
    raise AssertionError("there was an answer")


def urllib_is_told_of_refusal():
    try:
        requests.get(f"http://{GO.split(':')[0]}:1", timeout=5)
    except requests.exceptions.ConnectionError as error:
        assert "refused" in str(error) or "reset" in str(error), error
        return
    raise AssertionError("nothing listens there")


def aiohttp_many_at_once():
    async def run():
        async with aiohttp.ClientSession() as session:

            async def one(n):
                async with session.post(f"http://{GO}/echo", data=str(n)) as answer:
                    assert await answer.text() == str(n)

            await asyncio.gather(*(one(n) for n in range(300)))

    asyncio.run(run())


def aiohttp_events():
    async def run():
        async with aiohttp.ClientSession() as session, session.get(f"http://{GO}/events") as answer:
            return [line async for line in answer.content if line.startswith(b"data")]

    assert len(asyncio.run(run())) == 3


def number(place, n):
    out = bytes([place << 3])
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def sizes(*all_of_them):
    """StreamingOutputCallRequest { response_parameters = 2 { size = 1 } }"""
    messages = [number(1, size) for size in all_of_them]
    return b"".join(bytes([2 << 3 | 2, len(message)]) + message for message in messages)


channel = grpc.insecure_channel(INTEROP)


def grpcio_unary():
    call = channel.unary_unary(SERVICE + "UnaryCall")
    metadata = [("x-grpc-test-echo-initial", "first"), ("x-grpc-test-echo-trailing-bin", b"\x00\xff")]
    reply, done = call.with_call(number(2, 2000), metadata=metadata, timeout=10)
    assert len(reply) > 2000
    assert ("x-grpc-test-echo-initial", "first") in [tuple(pair) for pair in done.initial_metadata()]
    assert ("x-grpc-test-echo-trailing-bin", b"\x00\xff") in [tuple(pair) for pair in done.trailing_metadata()]


def grpcio_server_streaming():
    replies = list(channel.unary_stream(SERVICE + "StreamingOutputCall")(sizes(31415, 9, 2653, 58979), timeout=10))
    assert len(replies) == 4 and len(replies[3]) > 58979


def grpcio_both_ways():
    turn = threading.Semaphore(1)

    def requested():
        for size in (31415, 9, 2653, 58979):
            assert turn.acquire(timeout=10)
            yield sizes(size)

    seen = 0
    for _ in channel.stream_stream(SERVICE + "FullDuplexCall")(requested(), timeout=20):
        seen += 1
        turn.release()
    assert seen == 4


def grpcio_deadline():
    never = threading.Event()
    replies = channel.stream_stream(SERVICE + "FullDuplexCall")(iter(never.wait, True), timeout=0.3)
    try:
        list(replies)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED, error
        return
    finally:
        never.set()
    raise AssertionError("it ended well")


def grpcio_unimplemented():
    try:
        channel.unary_unary("/grpc.testing.Nothing/Nothing")(b"", timeout=10)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNIMPLEMENTED, error
        return
    raise AssertionError("there was an answer")


CHECKS = [
    requests_keeps_a_connection,
    requests_streams_both_ways,
    requests_times_out,
    urllib_is_told_of_refusal,
    aiohttp_many_at_once,
    aiohttp_events,
    grpcio_unary,
    grpcio_server_streaming,
    grpcio_both_ways,
    grpcio_deadline,
    grpcio_unimplemented,
]
failed = 0
for check in CHECKS:
    try:
        check()
        print("ok", check.__name__)
    except Exception as error:  # noqa: BLE001 - whatever it is, the others are tried
        failed += 1
        print("FAILED", check.__name__, repr(error))
sys.exit(1 if failed else 0)
