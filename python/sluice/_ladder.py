# SPDX-License-Identifier: BSD-2-Clause
"""LadderOutput."""
from __future__ import annotations

import datetime
import functools
import logging
import os
import secrets
import threading
from fractions import Fraction
from typing import Any, Callable

from . import _picture, _sluice
from ._options import LADDER, describe, to_text

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)  # enum sl_log_level
_STEPS = 1000  # ticks of a frame of the nominal rate: so fine are times that the caller gives
_OWN = ("output", "run", "store", "size", "rate", "segment", "gateway", "timebase", "raw", "overwrite",
        "video_track", "no_audio", "audio")

Update = Callable[[str, "dict[str, dict[str, Any]]"], None]


def _name() -> str:
    """A name for a run that nobody has named: those of a directory sort by time."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"


def _host(frame: Any) -> Any:
    """The picture in the host's memory."""
    on_gpu = getattr(frame, "is_on_gpu", None)
    on_gpu = on_gpu() if callable(on_gpu) else on_gpu
    for name in ("gpu", "cpu") if on_gpu else ("cpu", "gpu"):
        part = getattr(frame, name, None)
        if part is not None:  # cpu of a tensor is a method, of a picture in two memories an array
            frame = part() if callable(part) else part
            break
    if hasattr(frame, "get") and hasattr(frame, "__cuda_array_interface__"):  # CuPy's own way
        return frame.get()
    return _download(frame) if hasattr(frame, "__cuda_array_interface__") else frame


def _download(frame: Any) -> Any:
    """Of anything else on a device, by the library that is there."""
    try:
        import cupy
    except ImportError:
        raise TypeError(f"a {type(frame).__name__} is in a device's memory: cupy is needed to get it, "
                        "or its own get() or cpu()") from None
    return cupy.asarray(frame).get()


def _pixels(frame: Any, width: int, height: int) -> Any:
    """The same as rows of RGB or RGBA in bytes."""
    import numpy
    array = numpy.asarray(_host(frame))
    if array.shape not in ((height, width, 3), (height, width, 4)):
        raise ValueError(f"the picture is of shape {array.shape}, expected ({height}, {width}, 3)")
    if array.dtype.kind == "f":  # 0 to 1
        array = (numpy.clip(numpy.nan_to_num(array), 0, 1) * 255 + 0.5).astype(numpy.uint8)
    elif array.dtype == bool:
        array = array.astype(numpy.uint8) * 255
    elif array.dtype != numpy.uint8:
        if array.dtype.kind not in "iu":
            raise ValueError(f"samples are {array.dtype}, expected uint8 or a float from 0 to 1")
        array = numpy.clip(array, 0, 255).astype(numpy.uint8)
    if array.strides[1:] != (array.shape[2], 1) or abs(array.strides[0]) < array.shape[1] * array.shape[2]:
        array = numpy.ascontiguousarray(array)
    return array


class LadderOutput:
    """Pictures in, a live run of several renditions out, that can be watched while it is made.

        with sluice.LadderOutput("out", (1920, 1080), fps=30, run="film-7") as output:
            for frame in frames:
                output.write(frame)
        output.playlist_url            # https://ipfs.io/ipfs/bafy…

    Everything goes into a content store in output_dir (`sluice serve --store out/store` shows it) and is
    published segment by segment. A process that is killed loses what was not published yet: made again
    with the same `run`, the output goes on after a discontinuity. See docs/runs.md.

    **Pictures** are numpy arrays of (height, width, 3) or 4: uint8, or floats from 0 to 1 (clipped), of any
    strides; arrays of CuPy, or of whatever has __cuda_array_interface__ (by CuPy), and objects with such
    arrays as `cpu` or `gpu` (`is_on_gpu` says which is valid).

    write() waits while the encoders are behind, without the interpreter's lock. One call at a time:
    RuntimeError where another thread is inside. Raises sluice.Error (settings, store, encoders), ValueError
    (shape or type of a picture; after close()), TypeError (no picture at all).
    """

    def __init__(self, output_dir: "str | os.PathLike[str]", source_size: "tuple[int, int]", fps: Any = 30,
                 segment_duration: Any = 4.0, ipfs_gateway: str = "https://ipfs.io/ipfs",
                 on_playlist_update: "Update | None" = None,
                 audio_source: "str | os.PathLike[str] | None" = None, *, run: "str | None" = None,
                 store: "str | os.PathLike[str] | None" = None, format: str = "ts", **options: Any):
        """output_dir          directory; made where it is missing
        source_size         (width, height) of the pictures
        fps                 nominal frames per second: int, Fraction, "30000/1001", or a float as it is written
        segment_duration    seconds
        ipfs_gateway        in front of every CID of the stored playlists; "": links for any gateway
        on_playlist_update  called as (master CID, {name: {cid, width, height, bitrate}}) after each segment,
                            on a thread of the library's, which waits for it
        audio_source        sound from this file; it ends with the shorter of the two
        run                 name of the run; one that is there is gone on with. None: a new one
        store               directory of the store; None: "store" in output_dir
        format              "ts" or "fmp4"
        """
        self._core: Any = None
        self._lock = threading.Lock()
        self._callback = on_playlist_update
        self._gateway = ipfs_gateway.rstrip("/")
        self._segments: "dict[str, list[str]]" = {}
        self._last = -1  # ticks of the last picture
        self._anchor, self._after = 0, 0  # the last time that the caller said, and pictures since
        width, height = source_size
        self._width, self._height = int(width), int(height)
        for keyword in set(options) & set(_OWN):
            raise TypeError(f"LadderOutput() does not take {keyword!r}")
        self._rate = Fraction(repr(fps)) if isinstance(fps, float) else Fraction(fps)
        if self._rate <= 0:
            raise ValueError(f"fps {fps!r}, expected more than 0")
        self._directory = os.path.abspath(os.fspath(output_dir))
        self._run = _name() if run is None else run
        store = os.path.join(self._directory, "store") if store is None else os.path.abspath(os.fspath(store))
        options.update(run=self._run, store=store, size=(self._width, self._height), rate=self._rate,
                       segment=segment_duration, gateway=self._gateway or None, format=format,
                       timebase=1 / (self._rate * _STEPS), audio=audio_source)
        pairs = to_text("LadderOutput", options, LADDER)
        os.makedirs(os.path.dirname(store), exist_ok=True)
        logger = logging.getLogger("sluice")
        level = max((i for i, at in enumerate(_LEVELS) if logger.isEnabledFor(at)), default=0)
        self._core = _sluice.Ladder(level, self._told, pairs)
        self._log()

    def _log(self) -> None:
        for level, component, text in self._core.log():
            logging.getLogger("sluice").log(_LEVELS[level], "%s: %s", component, text)

    # ---- what was published ----

    def _told(self, master: str, renditions: "list[tuple[str, str, int, int, int]]", changed: int,
              segment: str) -> None:
        found = {name: {"cid": cid, "width": width, "height": height, "bitrate": bitrate}
                 for name, cid, width, height, bitrate in renditions}
        with self._lock:
            for name in found:
                self._segments.setdefault(name, [])
            if segment:
                self._segments[renditions[changed][0]].append(segment)
        if self._callback is not None and master:
            try:
                self._callback(master, found)
            except Exception:  # the run is not the callback's to end
                logging.getLogger("sluice").exception("on_playlist_update")

    @property
    def run(self) -> str:
        """The name of the run."""
        return self._run

    @property
    def is_open(self) -> bool:
        return self._core is not None and not self._core.closed()

    @property
    def playlist_cid(self) -> "str | None":
        """Of the multivariant playlist as it is now; None before each rendition has a segment."""
        return self._core.result()[0] or None

    @property
    def playlist_url(self) -> "str | None":
        """The same at the gateway."""
        cid = self.playlist_cid
        return f"{self._gateway or '/ipfs'}/{cid}" if cid else None

    @property
    def root_cid(self) -> "str | None":
        """Of the whole run as one directory, with master.m3u8 in it; None before close()."""
        return self._core.result()[1] or None

    @property
    def segment_cids(self) -> "dict[str, list[str]]":
        """Of the segments that this process has published, by rendition, in order."""
        with self._lock:
            return {name: list(cids) for name, cids in self._segments.items()}

    # ---- pictures ----

    def _time(self, t: Any) -> int:
        """Ticks. 0 means: the next frame."""
        if not t:
            at = self._anchor + self._after * _STEPS if self._last >= 0 else 0
            return max(at, self._last + 1)
        exact = Fraction(repr(t)) if isinstance(t, float) else Fraction(t)
        return round(exact * self._rate * _STEPS)

    def write(self, frame: Any, t: Any = 0) -> None:
        """The next picture. t: its time in seconds, rising (int, float as it is written, Fraction); 0: one
        frame after the last. The first picture is the beginning, whatever its time. What comes after the
        end of audio_source is left out."""
        if not self.is_open:
            raise ValueError("this output is closed")
        array = _pixels(frame, self._width, self._height)
        at = self._time(t)
        if at <= self._last:
            raise ValueError(f"time {t} is not after that of the picture before")
        number = _picture.FORMATS["rgb24" if array.shape[2] == 3 else "rgba"][0]
        base = memoryview(array)
        try:
            self._core.write(number, base, 0, array.strides[0], at)
        finally:
            base.release()
            self._log()
        if t or self._last < 0:
            self._anchor, self._after = at, 0
        self._after += 1
        self._last = at

    def close(self) -> None:
        """Publishes what is left and ends the run. More than once. Nothing was written: the run is left out."""
        if self._core is None or self._core.closed():
            return
        try:
            if self._last < 0:
                self._core.abandon()
            else:
                self._core.close()
        finally:
            self._log()

    def __enter__(self) -> LadderOutput:
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        """After an exception the run is not ended: made again with the same name, it goes on."""
        if kind is None:
            self.close()
        elif self._core is not None:
            self._core.abandon()

    def __repr__(self) -> str:
        return f"<sluice.LadderOutput {self._run} {self._width}x{self._height}{'' if self.is_open else ', closed'}>"


LadderOutput.__init__ = functools.partial(  # type: ignore[method-assign]
    describe, table=LADDER, without=_OWN)(LadderOutput.__init__)
MultiResolutionHLSOutput = LadderOutput
