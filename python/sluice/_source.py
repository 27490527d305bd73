# SPDX-License-Identifier: BSD-2-Clause
"""Where bytes come from: each kind of source as one function read(offset, size) -> bytes."""
from __future__ import annotations

import inspect
import io
import os
import queue
import stat
from typing import Any, AsyncIterator, Iterator

_PIECE = 64 << 10  # asked of what has only read(n), which may wait until it has all of n


class Source:
    """What the library is told, and the read() it calls. Base of all kinds; itself: a path."""

    path: bytes | None = None  # the library reads it by itself
    name = "input"
    size = -1
    seekable = False
    waits = True  # read() may take as long as somebody else likes
    asynchronous = False

    def read(self, offset: int, size: int) -> Any:
        raise NotImplementedError

    def close(self) -> None:
        """Nothing more will be taken. Only called while read() is not running."""


class Path(Source):
    def __init__(self, path: Any):
        text = os.fspath(path)
        self.path = os.fsencode(text)
        if b"\0" in self.path:
            raise ValueError("embedded null byte in the path")
        if not self.path:
            raise FileNotFoundError(2, "No such file or directory", text)
        if self.path == b"-":
            self.path = b"./-"  # here, standard input is sys.stdin.buffer
        try:
            self.waits = not stat.S_ISREG(os.stat(self.path).st_mode)
        except OSError:
            self.waits = b"://" in self.path  # the library will say what is wrong


class Plain(Source):
    """A file object on a plain file: the library reads the file by itself, without the lock."""

    waits = False

    def __init__(self, file: Any):
        if file.writable():
            file.flush()
        # The number of the caller's descriptor may mean another file by the time it is used.
        self._fd = os.dup(file.fileno())
        self.path = b"/dev/fd/%d" % self._fd
        try:  # the name is better in messages, where it still is that file
            name = os.fsencode(file.name) if isinstance(file.name, (str, bytes)) else b""
            if name and os.path.samestat(os.stat(name), os.fstat(self._fd)):
                self.path = os.path.abspath(name)
        except OSError:
            pass

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


class Seekable(Source):
    """A file object that can go to any offset, counted from where it stands."""

    seekable = True

    def __init__(self, file: Any):
        self._file = file
        self._base = file.tell()
        self.size = max(file.seek(0, io.SEEK_END) - self._base, 0)
        file.seek(self._base)
        self.name = _name_of(file)

    def read(self, offset: int, size: int) -> Any:
        self._file.seek(self._base + offset)  # others may have used it meanwhile
        return _bytes_of(self._file.read(size))


class Stream(Source):
    """A file object that only goes forward."""

    def __init__(self, file: Any):
        self._read = getattr(file, "read1", None) or file.read  # read1 gives what is there
        self._most = None if hasattr(file, "read1") or isinstance(file, io.RawIOBase) else _PIECE
        self.name = _name_of(file)

    def read(self, offset: int, size: int) -> Any:
        return _bytes_of(self._read(min(size, self._most or size)))


class _Chunks(Source):
    """Bytes that come in pieces of any size."""

    def __init__(self) -> None:
        self._rest = memoryview(b"")

    def _next(self) -> Any:
        """The next piece, None at the end."""
        raise NotImplementedError

    def read(self, offset: int, size: int) -> Any:
        while not self._rest:
            chunk = self._next()
            if chunk is None:
                return b""
            self._rest = memoryview(_bytes_of(chunk)).cast("B")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece


class Iterable(_Chunks):
    def __init__(self, iterable: Any):
        super().__init__()
        self._iterator: Iterator[Any] = iter(iterable)

    def _next(self) -> Any:
        return next(self._iterator, None)

    def close(self) -> None:
        self._rest = memoryview(b"")
        # A generator ends what it began; what else has a close() is the caller's.
        if hasattr(self._iterator, "throw"):
            self._iterator.close()  # type: ignore[attr-defined]


class AsyncIterable(_Chunks):
    """An async iterator, read from the thread that runs the library. The consumer's own task takes
    the pieces from it (fetch), so that context, cancellation and exceptions are that task's."""

    asynchronous = True

    def __init__(self, iterable: Any):
        super().__init__()
        self._iterator: AsyncIterator[Any] = iterable.__aiter__()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._left = False
        self.ask: Any = None  # tells the task that a piece is wanted; set for each call

    def _next(self) -> Any:
        if self._left:
            return None
        self.ask()
        return self._answers.get()

    async def fetch(self) -> None:
        """In the consumer's task: takes one piece and hands it over."""
        try:
            chunk = await self._iterator.__anext__()
        except StopAsyncIteration:
            self._answers.put(None)
        else:
            _bytes_of(chunk)
            self._answers.put(chunk)

    def leave(self) -> None:
        """Wakes the thread up, if it waits."""
        self._left = True
        self._answers.put(None)

    async def aclose(self) -> None:
        if hasattr(self._iterator, "athrow"):
            await self._iterator.aclose()  # type: ignore[attr-defined]


async def _pieces(file: Any) -> AsyncIterator[bytes]:
    while chunk := await file.read(_PIECE):
        yield chunk


def _name_of(file: Any) -> str:
    name = getattr(file, "name", None)
    return name.replace("\0", "") if isinstance(name, str) and name else "input"


def _bytes_of(chunk: Any) -> Any:
    if isinstance(chunk, (bytes, bytearray, memoryview)):
        return chunk
    if chunk is None:
        raise BlockingIOError("the source has nothing yet: a blocking one is needed")
    if isinstance(chunk, str):
        raise TypeError("the source gave str, bytes were expected (open the file with 'rb')")
    return memoryview(chunk)  # or TypeError


def _is_plain(file: Any) -> bool:
    """A plain file at its beginning, and nothing in between that makes other bytes of it, as
    gzip.GzipFile does, which has a fileno() too."""
    raw = file.raw if type(file) in (io.BufferedReader, io.BufferedRandom) else file
    return (type(raw) is io.FileIO and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
            and os.path.exists("/dev/fd") and file.tell() == 0)


def _file(file: Any) -> Source:
    if hasattr(file, "readable") and not file.readable():
        raise io.UnsupportedOperation("not readable")
    if _is_plain(file):
        return Plain(file)
    seekable = getattr(file, "seekable", None)
    return Seekable(file) if seekable is not None and seekable() else Stream(file)


def open_source(source: Any) -> Source:
    if isinstance(source, (str, os.PathLike)):
        return Path(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        raise TypeError("a path is str or os.PathLike; bytes in memory: io.BytesIO(data)")
    read = getattr(source, "read", None)
    if inspect.iscoroutinefunction(read):
        return AsyncIterable(_pieces(source))
    if read is not None:
        return _file(source)
    if hasattr(source, "__aiter__"):
        return AsyncIterable(source)
    if hasattr(source, "__iter__"):
        return Iterable(source)
    raise TypeError(f"a source is a path, a binary file object, or an iterable or async iterable "
                    f"of bytes, not {type(source).__name__}")
