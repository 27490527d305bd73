# SPDX-License-Identifier: BSD-2-Clause
"""FrameReader."""
from __future__ import annotations

import array
import datetime
import decimal
import logging
import operator
import os
import threading
from fractions import Fraction
from typing import Any, Callable, Iterable, Iterator

from . import _sluice

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)  # enum sl_log_level
_MAX = 2**62


def _seconds(value: Any) -> tuple[int, int]:
    """A time as a fraction; a float counts as it is written."""
    if isinstance(value, datetime.timedelta):
        exact = Fraction(value // datetime.timedelta(microseconds=1), 1_000_000)
    elif isinstance(value, (int, Fraction, decimal.Decimal)):
        exact = Fraction(value)
    elif isinstance(value, str):
        exact = Fraction(value[:-1] if value.endswith("s") else value)
    else:
        exact = Fraction(repr(float(value)))
    if exact.denominator > _MAX or abs(exact.numerator) > _MAX:
        exact = exact.limit_denominator(1_000_000_000)
    return exact.numerator, exact.denominator


class FrameReader:
    """Pictures of a video file as numpy arrays: any MP4 or Matroska, a path or an http(s) URL.

        with sluice.FrameReader("run.mp4") as reader:
            len(reader)
            reader[0], reader[-1]               # height x width x 3, RGB
            reader[10:20]                       # 10 x height x width x 3
            reader.at(1.5), reader.at([1, 2])   # what is shown then
            reader.batch([7, 3, 9])             # by id, in this order
            for index, picture in reader.every(1):
                ...

    Only the bytes that the pictures need are read, and only what they depend on is decoded, each
    picture once in a call: little in a file that `sluice pack` made. The interpreter's lock is not
    held meanwhile. Calls from several threads follow one another.

    format   "rgb24", or "nv12": 3/2 height x width, the decoder's own samples
    threads  of the decoder; 0: as many as are useful
    index    what `sluice pack` wrote beside the file; None: looked for there

    Raises sluice.Error; IndexError for numbers that are not there.
    """

    def __init__(self, path: "str | os.PathLike[str]", *, format: str = "rgb24", threads: int = 0,
                 index: "str | os.PathLike[str] | None" = None):
        self._closed = True  # until there is something to close
        self._lock = threading.Lock()
        self._turn = 0  # requests so far
        self._arguments = (os.fspath(path), format, threads, index)
        self._logger = logging.getLogger("sluice")
        enabled = [i for i, level in enumerate(_LEVELS) if self._logger.isEnabledFor(level)]
        options = [("format", format), ("threads", str(operator.index(threads)))]
        if index is not None:
            options.append(("index", os.fsdecode(os.fspath(index))))
        self._core = _sluice.Frames(os.fsencode(os.fspath(path)), max(enabled, default=0), options)
        self._closed = False
        self._format = format
        self._info = info = self._core.info()
        self._log()
        self.width: int = info["width"]
        self.height: int = info["height"]
        self.timebase = Fraction(*info["timebase"])
        self.codec: str = info["codec"]
        self.layers: int = info["layers"]
        self.rotation: int = info["rotation"]  # clockwise degrees to turn; pictures are not turned

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, self._arguments

    def _log(self) -> None:
        for level, component, text in self._core.log():
            self._logger.getChild(component).log(_LEVELS[level], "%s", text)

    # ---- what is there ----

    def __len__(self) -> int:
        return self._info["count"]

    @property
    def start(self) -> Fraction:
        """When the first picture is shown, in seconds."""
        return self._info["start"] * self.timebase

    @property
    def end(self) -> Fraction:
        """When the last picture is no longer shown."""
        return self._info["end"] * self.timebase

    @property
    def frame_rate(self) -> "Fraction | None":
        """The nominal one; None: variable, or not stated."""
        num, den = self._info["frame_rate"]
        return Fraction(num, den) if num > 0 else None

    @property
    def stats(self) -> dict[str, int]:
        """What was read and decoded so far."""
        with self._lock:
            return self._core.stats()

    @property
    def closed(self) -> bool:
        return self._closed

    def _number(self, index: Any) -> int:
        number = operator.index(index)
        number += len(self) if number < 0 else 0
        if not 0 <= number < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        return number

    def time(self, index: int) -> Fraction:
        """When a picture is shown, in seconds."""
        with self._lock:
            return self._core.place(self._number(index))[0] * self.timebase

    def duration(self, index: int) -> Fraction:
        with self._lock:
            return self._core.place(self._number(index))[1] * self.timebase

    def id(self, index: int) -> int:
        """The id that the encoder was given; the number where there are none."""
        with self._lock:
            return self._core.place(self._number(index))[2]

    def layer(self, index: int) -> int:
        """The temporal layer."""
        with self._lock:
            return self._core.place(self._number(index))[3]

    def index_at(self, time: Any) -> int:
        """The number of the picture that is shown at a time, in seconds."""
        with self._lock:
            return self._core.find_time(*_seconds(time))

    def index_of(self, id: int) -> int:
        """The number of the picture of this id."""
        with self._lock:
            return self._core.find_id(operator.index(id))

    # ---- pictures ----

    def _shape(self, picture: tuple[int, ...]) -> tuple[int, ...]:
        width, height = picture[4:6]
        return (height * 3 // 2, width) if self._format == "nv12" else (height, width, 3)

    def _take(self, place: "Callable[[int, tuple[int, ...]], Any]") -> "tuple[int, Any] | None":
        """The next picture of the request, into the array that place(number, shape) gives."""
        try:
            picture = self._core.next()
            if picture is None:
                return None
            into = place(picture[0], self._shape(picture))
            self._core.pixels(into)
            return picture[0], into
        finally:
            self._log()

    def _gather(self, numbers: list[int]) -> Any:
        """One array of them all, in the order in which they were asked for."""
        import numpy
        places: dict[int, list[int]] = {}
        for at, number in enumerate(numbers):
            places.setdefault(number, []).append(at)
        shape = self._shape((0, 0, 0, 0, self.width, self.height))
        out = numpy.empty((0, *shape), numpy.uint8)

        def place(number: int, shape: tuple[int, ...]) -> Any:
            nonlocal out
            if len(out) == 0:
                out = numpy.empty((len(numbers), *shape), numpy.uint8)
            elif out.shape[1:] != shape:
                raise ValueError(f"picture {number} is of shape {shape}, others are of "
                                 f"{out.shape[1:]}: they do not fit into one array")
            return out[places[number][0]]

        with self._lock:
            self._request(places)
            while (taken := self._take(place)) is not None:
                first, *more = places[taken[0]]
                for at in more:
                    out[at] = out[first]
        return out

    def _request(self, numbers: "Iterable[int]") -> int:
        self._core.request(array.array("Q", numbers))
        self._turn += 1
        return self._turn

    def __getitem__(self, index: Any) -> Any:
        """reader[i], or an array of several: reader[a:b:c], reader[[3, 1, 2]]."""
        if isinstance(index, slice):
            return self._gather(list(range(*index.indices(len(self)))))
        if hasattr(index, "__iter__"):
            return self._gather([self._number(i) for i in index])
        return self._gather([self._number(index)])[0]

    def at(self, time: Any) -> Any:
        """What is shown at a time in seconds (int, float as it is written, Fraction, "1.5s",
        timedelta); of several times, one array."""
        if hasattr(time, "__iter__") and not isinstance(time, str):
            return self._gather([self.index_at(t) for t in time])
        return self._gather([self.index_at(time)])[0]

    def batch(self, ids: "Iterable[int]") -> Any:
        """One array of the pictures of these ids, in this order. In a file without an index of ids
        they are numbers."""
        return self._gather([self.index_of(i) for i in ids])

    def frames(self, indexes: "Iterable[int] | None" = None) -> "Iterator[tuple[int, Any]]":
        """(number, array) one after the other in display order, each once; None: all of them. For
        what does not fit into memory together. Nothing else may be asked of the reader meanwhile."""
        numbers = range(len(self)) if indexes is None else [self._number(i) for i in indexes]
        with self._lock:
            turn = self._request(numbers)
        return self._iterate(turn)

    def every(self, step: Any) -> "Iterator[tuple[int, Any]]":
        """The same of what is shown when the first picture begins and every `step` seconds after."""
        with self._lock:
            self._core.request_every(*_seconds(step))
            self._turn += 1
            turn = self._turn
        return self._iterate(turn)

    def _iterate(self, turn: int) -> "Iterator[tuple[int, Any]]":
        import numpy
        while True:
            with self._lock:
                if turn != self._turn:
                    raise RuntimeError("the reader was asked for something else meanwhile")
                taken = self._take(lambda number, shape: numpy.empty(shape, numpy.uint8))
            if taken is None:
                return
            yield taken

    def __iter__(self) -> "Iterator[Any]":
        return (pixels for _, pixels in self.frames())

    # ---- the end ----

    def close(self) -> None:
        """Stops what runs and frees everything. From any thread, more than once."""
        if self._closed:
            return
        self._closed = True
        self._core.stop()
        with self._lock:
            self._core.close()

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<sluice.FrameReader {self._arguments[0]!r}{', closed' if self._closed else ''}>"


def _reopen(path: Any, format: str, threads: int, index: Any) -> FrameReader:
    """For pickle: another process opens the file again."""
    return FrameReader(path, format=format, threads=threads, index=index)
