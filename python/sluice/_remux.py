# SPDX-License-Identifier: BSD-2-Clause
"""remux() and segment()."""
from __future__ import annotations

import functools
import logging
import threading
from fractions import Fraction
from typing import Any, NamedTuple

from . import _sluice
from ._options import describe, to_text
from ._source import AsyncIterable, open_source
from ._worker import Worker

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)  # enum sl_log_level


class Progress(NamedTuple):
    """How far a remux is."""

    position: Fraction  # seconds of media handed out
    duration: Fraction | None  # seconds that were asked for, where that is known
    fragments: int
    bytes: int
    finished: bool


class Remux:
    """The output of remux() or segment(): an iterator, an async iterator and a context manager.

    Nothing happens until bytes are asked for, and nothing runs ahead: work is done inside next(),
    without the interpreter's lock, or in a thread while an async consumer waits. It is closed at
    its end, after an error, by close() or aclose(), and when nobody refers to it any more.
    """

    def __init__(self, source: Any, pairs: list[tuple[str, str]], chunk_size: int):
        if chunk_size < 1:
            raise ValueError(f"chunk_size is {chunk_size}, at least 1 was expected")
        self._closed = True  # until there is something to close
        self._running = threading.Lock()  # held while _read() runs
        self._awaited = False  # a task is in __anext__()
        self._source = open_source(source)
        self._chunk_size = chunk_size
        self._first: bytes | None = None  # read by prepare(), not handed out
        self._codecs = ""
        self._worker: Worker | None = None
        self._source_open = threading.Lock()  # taken by whoever closes the source
        self._logger = logging.getLogger("sluice")
        enabled = [i for i, level in enumerate(_LEVELS) if self._logger.isEnabledFor(level)]
        src = self._source
        self._core = _sluice.Remux(src.path, None if src.path else src.read, src.name, src.size,
                                   src.seekable, max(enabled, default=0), pairs)
        self._closed = False

    # ---- what it tells ----

    @property
    def codecs(self) -> str:
        """Codec strings (RFC 6381) of what comes out, "avc1.64001f,mp4a.40.2"; "" before the first
        bytes have been read: see prepare()."""
        return self._codecs

    @property
    def progress(self) -> Progress:
        """How far it is. Can be asked from any thread."""
        position, duration, fragments, size, finished = self._core.progress()
        return Progress(Fraction(position, 1_000_000),
                        Fraction(duration, 1_000_000) if duration >= 0 else None,
                        fragments, size, finished)

    @property
    def closed(self) -> bool:
        return self._closed

    # ---- the work, on whatever thread ----

    def _read(self) -> bytes | None:
        """The next bytes, or None at the end."""
        if not self._running.acquire(blocking=False):
            raise ValueError("this remux is already running")
        chunk = None
        try:
            if not self._closed:
                chunk = self._core.read(self._chunk_size)
            if chunk is not None and not self._codecs:
                self._codecs = self._core.codecs()
        finally:
            self._running.release()
            self._log()
            if chunk is None or self._closed:
                self.close()
                self._close_source()
        return None if self._closed else chunk

    def _log(self) -> None:
        for level, component, text in self._core.log():
            self._logger.getChild(component).log(_LEVELS[level], "%s", text)

    def _close_source(self) -> None:
        """Once, and not while it is being read: by close(), or by the call that runs meanwhile,
        after it has ended."""
        if not self._running.locked() and self._source_open.acquire(blocking=False):
            self._source.close()

    # ---- synchronous ----

    def __iter__(self) -> Remux:
        if self._source.asynchronous:
            raise TypeError("the source is an async iterator: use `async for`")
        return self

    def __next__(self) -> bytes:
        if self._first is not None:
            chunk, self._first = self._first, None
            return chunk
        if self._source.asynchronous:
            raise TypeError("the source is an async iterator: use `async for`")
        chunk = self._read()
        if chunk is None:
            raise StopIteration
        return chunk

    def prepare(self) -> Remux:
        """Reads up to the first bytes of output and keeps them for the first next(): what is wrong
        with the source is raised here, and codecs is known. Returns self."""
        if self._first is None:
            self._first = next(self, None)
        return self

    def close(self) -> None:
        """Stops and frees everything. From any thread, at any time, more than once: what runs in
        another thread is told to stop, and frees everything when it does."""
        if self._closed and not self._first:
            return
        self._closed = True
        self._first = None
        self._core.close()
        if isinstance(self._source, AsyncIterable):
            self._source.leave()
        if self._worker:
            self._worker.stop()
            self._worker = None
        self._close_source()

    def __enter__(self) -> Remux:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self.close()

    # ---- asynchronous ----

    async def _read_async(self) -> bytes | None:
        import asyncio
        loop = asyncio.get_running_loop()
        messages: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()

        def tell(kind: str, value: Any = None) -> None:
            try:
                loop.call_soon_threadsafe(messages.put_nowait, (kind, value))
            except RuntimeError:  # the loop is closed: nobody listens
                self.close()

        def job() -> None:
            try:
                tell("done", self._read())
            except BaseException as error:
                tell("failed", error)

        source = self._source
        if isinstance(source, AsyncIterable):
            source.ask = functools.partial(tell, "wanted")
        if source.waits:
            self._worker = self._worker or Worker()
            self._worker.submit(job)
        else:
            loop.run_in_executor(None, job)
        while True:
            kind, value = await messages.get()
            if kind == "done":
                return value
            if kind == "failed":
                raise value
            assert isinstance(source, AsyncIterable)
            await source.fetch()

    def __aiter__(self) -> Remux:
        return self

    async def __anext__(self) -> bytes:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._awaited:
            raise ValueError("this remux is already running")
        if self._closed:
            raise StopAsyncIteration
        self._awaited = True
        chunk = None
        try:
            chunk = await self._read_async()
        finally:
            self._awaited = False
            if chunk is None:  # the end; or cancelled, or the source's error, or ours
                await self.aclose()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def aprepare(self) -> Remux:
        """prepare() for async code."""
        if self._first is None and not self._closed:
            try:
                self._first = await self.__anext__()
            except StopAsyncIteration:
                pass
        return self

    async def aclose(self) -> None:
        """close(), and what an async source has to do at its end."""
        self.close()
        if isinstance(self._source, AsyncIterable):
            await self._source.aclose()

    async def __aenter__(self) -> Remux:
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.aclose()


@describe
def remux(source: Any, *, chunk_size: int = 256 << 10, **options: Any) -> Remux:
    """Makes fragmented MP4 out of any container: what MP4 players can play is passed through, the
    rest is converted. Returns an iterator of bytes, which is an async iterator too.

    source      a path (str, os.PathLike); a binary file object; an iterable of bytes; or an async
                iterable of bytes, or an object with an async read(), for `async for` alone
    chunk_size  most bytes in one piece

    Settings are checked at once and raise sluice.Error; the source is opened by the first next()
    (or prepare()). What a source raises comes out unchanged. Times are seconds: int, Fraction,
    Decimal, timedelta, "30000/1001", or a float, which counts as it is written.
    """
    return Remux(source, to_text("remux", options), chunk_size)


@describe
def segment(source: Any, *, start: Any, duration: Any, chunk_size: int = 256 << 10,
            **options: Any) -> Remux:
    """Cuts [start, start + duration) out of a source, as remux() gives it.

    The decode time is `start` if it is not given, so that segments of one source lie on one
    timeline. The init segment comes first unless no_init is set. A source that can seek is read
    around the segment alone.
    """
    options.setdefault("decode_time", start)
    pairs = to_text("segment", {"start": start, "duration": duration, **options})
    return Remux(source, pairs, chunk_size)
