# SPDX-License-Identifier: BSD-2-Clause
"""asyncio: the loop never stands still, cancelling stops what runs, everything is closed."""
import asyncio
import contextvars
import gc
import os
import threading
import time

import pytest
import sluice


def data_of(path):
    return path.read_bytes()


async def apieces(path, size=20000, log=None):
    try:
        with open(path, "rb") as f:
            while chunk := f.read(size):
                await asyncio.sleep(0)
                yield chunk
    finally:
        if log is not None:
            log.append("closed")


async def collect(r):
    return b"".join([chunk async for chunk in r])


def threads():
    """Of ours; one that was just told to end is given the time to."""
    for _ in range(200):
        count = sum(t.name == "sluice" for t in threading.enumerate())
        if not count:
            break
        time.sleep(0.01)
    return count


@pytest.fixture(scope="module")
def want(media):
    return b"".join(sluice.remux(media("av.mkv")))


class AsyncFile:
    def __init__(self, path):
        self.file = open(path, "rb")

    async def read(self, n=-1):
        await asyncio.sleep(0)
        return self.file.read(n)


class NoGenerator:
    """An async iterator that is nothing but that."""

    def __init__(self, path):
        self.file = open(path, "rb")

    def __aiter__(self):
        return self

    async def __anext__(self):
        if chunk := self.file.read(33333):
            return chunk
        raise StopAsyncIteration


SOURCES = {
    "path": str, "file": lambda p: open(p, "rb"), "generator": lambda p: iter([p.read_bytes()]),
    "async_generator": apieces, "async_file": AsyncFile, "async_iterator": NoGenerator,
    "pipe": lambda p: os.popen(f"cat {p}").buffer,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_sources(media, want, kind):
    assert asyncio.run(collect(sluice.remux(SOURCES[kind](media("av.mkv"))))) == want
    assert threads() == 0


def test_stream_reader(media, want):
    async def main():
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        out = await collect(sluice.remux(reader))
        writer.close()
        server.close()
        return out

    async def serve(reader, writer):
        writer.write(data_of(media("av.mkv")))
        await writer.drain()
        writer.close()

    assert asyncio.run(main()) == want


def test_any_container(media):
    """libavformat reads from an async iterator as well."""
    out = asyncio.run(collect(sluice.remux(apieces(media("av.ts")))))
    assert out == b"".join(sluice.remux(iter([data_of(media("av.ts"))])))


def test_async_source_needs_async_for(media):
    r = sluice.remux(apieces(media("av.mkv")))
    for use in (iter, next, list, lambda r: r.prepare()):
        with pytest.raises(TypeError, match="async for"):
            use(r)


def test_several_at_once(media, want):
    async def main():
        sources = [make(media("av.mkv")) for make in SOURCES.values() for _ in range(3)]
        return await asyncio.gather(*(collect(sluice.remux(s)) for s in sources))

    assert all(out == want for out in asyncio.run(main()))
    assert threads() == 0


def test_loop_goes_on(media):
    """While the library encodes for seconds."""
    async def main():
        task = asyncio.create_task(collect(sluice.remux(
            media("av.mkv"), video="h264", preset="ultrafast", chunk_size=4 << 20)))
        longest, last = 0.0, time.monotonic()
        while not task.done():
            await asyncio.sleep(0.001)
            now = time.monotonic()
            longest, last = max(longest, now - last), now
        return longest

    longest = asyncio.run(main())
    assert longest < 0.5, f"the loop stood still for {longest} s"


def test_prepare(media, want):
    async def main():
        r = await sluice.remux(apieces(media("av.mkv"))).aprepare()
        assert r.codecs.startswith("avc1.")
        assert await collect(r) == want
        with pytest.raises(sluice.Error):
            await sluice.remux("/nowhere").aprepare()

    asyncio.run(main())


@pytest.mark.parametrize("raised", [ZeroDivisionError(), OSError(5, "x"), TimeoutError()])
@pytest.mark.parametrize("after", [0, 20])
def test_source_raises(media, raised, after):
    async def source():
        n = 0
        async for chunk in apieces(media("av.mkv")):
            if n == after:
                raise raised
            n += 1
            yield chunk

    with pytest.raises(type(raised)) as caught:
        asyncio.run(collect(sluice.remux(source())))
    assert caught.value is raised and threads() == 0


def test_wrong_pieces():
    async def source():
        yield "text"

    with pytest.raises(TypeError, match="str"):
        asyncio.run(collect(sluice.remux(source())))


def test_source_runs_in_the_consumers_task(media):
    """Its context and its task: what time-outs and cancel scopes hang on."""
    variable = contextvars.ContextVar("variable", default="none")
    seen = set()

    async def source():
        async for chunk in apieces(media("av.mkv")):
            seen.add((variable.get(), asyncio.current_task()))
            yield chunk

    async def main():
        variable.set("ours")
        await collect(sluice.remux(source()))
        assert seen == {("ours", asyncio.current_task())}

    asyncio.run(main())


def test_cancel_while_the_source_is_silent(media):
    log = []

    async def source():
        try:
            yield data_of(media("av.mkv"))[:300_000]
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise
        finally:
            log.append("closed")

    async def main():
        r = sluice.remux(source())
        task = asyncio.create_task(collect(r))
        await asyncio.sleep(0.3)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - start < 1
        assert r.closed and [c async for c in r] == []

    asyncio.run(main())
    assert log == ["cancelled", "closed"] and threads() == 0


def test_cancel_while_it_works(media):
    """In the middle of encoding: the thread ends soon, and what it held is closed."""
    before = len(os.listdir("/proc/self/fd"))

    async def main():
        r = sluice.remux(open(media("long.mkv"), "rb"), video="h264", chunk_size=64 << 20)
        task = asyncio.create_task(collect(r))
        await asyncio.sleep(0.5)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - start < 1

    start = time.monotonic()
    asyncio.run(main())  # waits for the loop's threads
    assert time.monotonic() - start < 20
    gc.collect()
    assert threads() == 0 and len(os.listdir("/proc/self/fd")) <= before


def test_time_out(media):
    async def source():
        yield data_of(media("av.mkv"))[:1000]
        await asyncio.Event().wait()

    async def main():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(sluice.remux(source()).__anext__(), 0.2)

    asyncio.run(main())
    assert threads() == 0


def test_early_leave(media):
    log = []

    async def main():
        async with sluice.remux(apieces(media("long.mkv"), log=log)) as r:
            async for chunk in r:
                break
        assert log == ["closed"] and r.closed
        r = sluice.remux(apieces(media("long.mkv"), log=log))
        async for chunk in r:
            break
        await r.aclose()
        assert log == ["closed"] * 2
        async for chunk in sluice.remux(apieces(media("long.mkv"), log=log)):
            break
        gc.collect()
        for _ in range(100):  # the loop closes generators that nobody refers to, once its thread has let go
            gc.collect()
            await asyncio.sleep(0.05)
            if len(log) == 3:
                break
        assert log == ["closed"] * 3

    asyncio.run(main())
    assert threads() == 0


def test_source_is_closed_at_the_end(media):
    """Also where not all of it was needed."""
    log = []
    out = asyncio.run(collect(sluice.remux(apieces(media("long.mkv"), log=log), duration=2)))
    assert len(out) > 10000 and log == ["closed"] and threads() == 0


def test_silent_pipe_is_left(media):
    """The task is let go at once; the thread when the pipe ends."""
    readable, writable = os.pipe()

    async def main():
        os.write(writable, data_of(media("av.mkv"))[:1000])
        task = asyncio.create_task(collect(sluice.remux(open(readable, "rb"))))
        await asyncio.sleep(0.2)
        start = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - start < 1

    asyncio.run(main())
    os.close(writable)
    assert threads() == 0


def test_two_tasks_at_one(media):
    async def main():
        r = sluice.remux(apieces(media("av.mkv")))
        first = asyncio.create_task(r.__anext__())
        await asyncio.sleep(0)
        with pytest.raises(ValueError, match="already"):
            await r.__anext__()
        assert await first
        await r.aclose()

    asyncio.run(main())


def test_backpressure(media):
    """Nothing is taken from the source while the consumer is busy with something else."""
    taken = 0

    async def source():
        nonlocal taken
        async for chunk in apieces(media("long.mkv"), 65536):
            taken += len(chunk)
            yield chunk

    async def main():
        given = 0
        async with sluice.remux(source()) as r:
            for _ in range(40):
                given += len(await r.__anext__())
                stood = taken
                await asyncio.sleep(0.005)
                assert taken == stood and taken - given < 4 << 20
        assert taken < media("long.mkv").stat().st_size

    asyncio.run(main())
