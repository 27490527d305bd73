# SPDX-License-Identifier: BSD-2-Clause
"""Encoder."""
from __future__ import annotations

import functools
import logging
import operator
from typing import Any, Iterator, NamedTuple

from . import _picture, _sluice
from ._options import ENCODER, describe, to_text

_LEVELS = (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)  # enum sl_log_level
_RECOVERY = ("reference", "refresh", "idr")  # enum sl_encoder_recovery
_FLAGS = ("hardware", "reconfigures", "recovers", "refreshes", "cuda", "cvpixelbuffer", "lookahead")


class AccessUnit(NamedTuple):
    """One coded picture."""
    data: bytes  # Annex B
    token: int  # what submit() was given as seq; pictures of encode() are counted from 0
    pts: int  # ticks of the timebase
    dts: int
    key: bool  # an IDR picture, with its parameter sets in front
    header_size: int  # bytes in front of the first slice: parameter sets and SEI
    layer: int  # temporal layer; 0 where there is one only
    qp: int  # average quantiser; -1: the backend does not say
    copy_ns: int
    convert_ns: int
    encode_ns: int

    @property
    def copy_ms(self) -> float:
        """Milliseconds of getting the picture to the backend."""
        return self.copy_ns / 1e6

    @property
    def convert_ms(self) -> float:
        """Milliseconds of converting its colour."""
        return self.convert_ns / 1e6

    @property
    def encode_ms(self) -> float:
        """Milliseconds of encoding, waiting included."""
        return self.encode_ns / 1e6


def _backends() -> "Iterator[dict[str, Any]]":
    index = 0
    while (found := _sluice.backend(index)) is not None:
        yield found
        index += 1


@functools.lru_cache(maxsize=None)
def nvtx() -> "tuple[Any, Any] | None":
    """The calls that begin and end a range for NVIDIA's profilers, or None without their library."""
    import ctypes
    try:
        library = ctypes.CDLL("libnvToolsExt.so.1")
        return library.nvtxRangePushA, library.nvtxRangePop
    except (OSError, AttributeError):
        return None


def encoders() -> "list[dict[str, Any]]":
    """What there is to choose from, in the order in which "auto" tries it: name, codec, available,
    reason (why not), presets, tunes, profiles, version, licence, and as booleans hardware,
    reconfigures (the bitrate, without an IDR), recovers, refreshes, cuda, cvpixelbuffer, lookahead.
    Drivers are opened to find out."""
    found = []
    for backend in _backends():
        flags = backend.pop("flags")
        for key in ("presets", "tunes", "profiles"):
            backend[key] = [word for word in (backend[key] or "").replace(" ", "").split(",") if word]
        backend.update((name, bool(flags >> bit & 1)) for bit, name in enumerate(_FLAGS))
        found.append(backend)
    return found


class Encoder:
    """Pictures in, access units of H.264 or HEVC (Annex B) out, from any vendor's encoder.

        with sluice.Encoder(1280, 720, fps=30, bitrate="3M") as encoder:
            socket.send(encoder.encode(frame))       # this picture's unit: no delay
            encoder.codec_string                     # "avc1.64001f", for WebCodecs; right from the start

        with sluice.Encoder(1280, 720, latency="pipelined", depth=4) as encoder:
            for seq, data, key in encoder.submit(frame, seq):  # those that are ready, of earlier pictures
                ...
            encoder.flush_pipeline()                 # the last ones

    SPS and PPS (VPS) are in front of each IDR picture and nowhere else; nothing is reordered but with
    latency="lookahead". The interpreter's lock is not held while the library works.

    **Pictures** are numpy arrays or anything else with a buffer, objects with __array_interface__ (CPU
    tensors by DLPack too), or in a device's memory with __cuda_array_interface__, whose stream is waited
    for; a backend that cannot read those says so. Their shape tells the format, unless `format` does:

        (height, width, 3)    uint8   rgb24, bgr24
        (height, width, 4)    uint8   rgba, bgra: the fourth byte is not looked at
        (height * 3/2, width) uint8   nv12, i420 (without gaps)
        (height * 3/2, width) uint16  p010
        (3, height, width)    uint8   i444

    or flat, without gaps; or a tuple of planes: (y, uv), (y, u, v). There may be gaps between rows, and
    rows may go upwards (array[::-1]); inside of a row there is no gap. RGB is converted as `colour`,
    `range` and `matrix` say. Arrays are let go when the call returns, those of a device once they were
    read.

    One call at a time: RuntimeError where another thread is inside. Raises sluice.Error (settings, device,
    pts), ValueError (shape, type or strides of a picture; after close()), TypeError (no picture at all).
    """

    def __init__(self, width: int, height: int, *, codec: str = "h264", backend: str = "auto",
                 fps: Any = 30, format: "str | None" = None, cuda_context: int = 0, **options: Any):
        """width, height  of the pictures; even, but for 4:4:4
        codec          "h264" or "hevc"
        backend        one of sluice.encoders(), or "auto" for the first that can
        fps            nominal frames per second: int, Fraction, "30000/1001", or a float as it is written
        format         of the pictures, where their shape does not tell: bgr24, bgra, i420 …
        cuda_context   address of the CUcontext to share; 0: the device's primary one, as everybody does
        """
        self._core: Any = None  # until there is one
        self._last: "AccessUnit | None" = None
        self._count = 0  # pictures of encode()
        if format is not None and format not in _picture.FORMATS:
            raise ValueError(f"format {format!r}, expected one of {', '.join(_picture.FORMATS)}")
        if "size" in options:
            raise TypeError("Encoder() takes width and height instead of size")
        if options.get("rate") is None:
            options["rate"] = fps
        elif fps != 30:
            raise TypeError("fps and rate are the same: give one of them")
        options.update(codec=codec, backend=backend, size=(width, height))
        self._format = format
        self._ranges = nvtx() if options.get("nvtx") else None
        self._sync = options.get("latency") in (None, "sync")
        self._logger = logging.getLogger("sluice")
        enabled = [i for i, level in enumerate(_LEVELS) if self._logger.isEnabledFor(level)]
        self._core = _sluice.Encoder(max(enabled, default=0), operator.index(cuda_context),
                                     to_text("Encoder", options, ENCODER))
        self._log()
        self._look()

    def _log(self) -> None:
        for level, component, text in self._core.log():
            self._logger.getChild(component).log(_LEVELS[level], "%s", text)

    def _look(self) -> None:
        self._width, self._height = self._core.info()[3:5]

    # ---- what is there ----

    @property
    def width(self) -> int:
        return self._width

    @property
    def height(self) -> int:
        return self._height

    @property
    def codec_string(self) -> str:
        """RFC 6381: "avc1.64001f", "hvc1.1.6.L93.B0"; what the next parameter sets say."""
        return self._core.info()[0]

    @property
    def backend(self) -> str:
        """The name of the backend in use."""
        return self._core.info()[1]

    @property
    def reason(self) -> str:
        """Why it was taken."""
        return self._core.info()[2]

    @property
    def delay(self) -> int:
        """Pictures that may have to be sent before the first unit comes; -1: the backend decides."""
        return self._core.info()[5]

    @property
    def stats(self) -> "dict[str, int]":
        """Of all units so far: pictures (sent), units, keys, bytes, fallbacks (other backends that had
        to take over), copy_ns, convert_ns, encode_ns."""
        return self._core.stats()

    @property
    def last(self) -> "AccessUnit | None":
        """The unit that came last, with its times; None before the first."""
        return self._last

    @property
    def closed(self) -> bool:
        return self._core.closed()

    # ---- pictures in, units out ----

    def _take(self, frame: Any, seq: int, force_idr: bool, pts: "int | None",
              sei: Any) -> "list[tuple[Any, ...]]":
        if not 0 <= seq < 1 << 64:
            raise ValueError(f"seq {seq}, expected 0 to 2**64 - 1")
        if self._ranges:
            self._ranges[0](b"pdum.read_cai")  # the other ranges are the library's
        try:
            picture = _picture.take(frame, self._format, self._width, self._height)
        finally:
            if self._ranges:
                self._ranges[1]()
        try:
            units = self._core.send(picture.format, picture.memory, picture.planes, picture.owner,
                                    picture.stream, seq, bool(force_idr), pts, sei)
        finally:
            _picture.release(picture.views)
            self._log()
        return self._keep(units)

    def _keep(self, units: "list[tuple[Any, ...]]") -> "list[tuple[Any, ...]]":
        if units:
            self._last = AccessUnit._make(units[-1])
        return units

    def encode(self, frame: Any, force_idr: bool = False, *, pts: "int | None" = None,
               sei: Any = None) -> bytes:
        """The access unit of `frame`, at once. For latency="sync" alone.

        force_idr  code it as an IDR picture
        pts        ticks of the timebase, rising; None: one frame after the last
        sei        UUID and what follows of a user_data_unregistered SEI message, bytes
        """
        if not self._sync:
            raise ValueError('encode() is for latency="sync": use submit()')
        units = self._take(frame, self._count, force_idr, pts, sei)
        self._count += 1
        return b"".join(unit[0] for unit in units)

    def submit(self, frame: Any, seq: int, force_idr: bool = False, *, pts: "int | None" = None,
               sei: Any = None) -> "list[tuple[int, bytes, bool]]":
        """Sends a picture. Returns: (seq, access unit, keyframe) of each that is ready, each once, in
        coded order. seq is any number of 64 bits, such as one of a counter with gaps. Otherwise as
        encode(), in all modes."""
        return _pairs(self._take(frame, operator.index(seq), force_idr, pts, sei))

    def flush(self) -> "list[bytes]":
        """The units of all pictures on their way. A picture after that begins anew, with an IDR."""
        return [data for _, data, _ in self.flush_pipeline()]

    def flush_pipeline(self) -> "list[tuple[int, bytes, bool]]":
        """The same, as submit() gives them."""
        try:
            units = self._core.drain()
        finally:
            self._log()
        return _pairs(self._keep(units))

    # ---- changes ----

    def reconfigure(self, **changes: Any) -> bool:
        """Changes bitrate, maxrate, buffer, crf, qp, fps (or rate), or the size (width, height: up to
        max_size) from the next picture on; pictures on their way keep what they had. Returns: whether
        the next picture will be an IDR because of it. Where it fails, nothing has changed."""
        if "fps" in changes:
            if "rate" in changes:
                raise TypeError("fps and rate are the same: give one of them")
            changes["rate"] = changes.pop("fps")
        if "width" in changes or "height" in changes:
            if "size" in changes:
                raise TypeError("size is width and height: give one of them")
            changes["size"] = (changes.pop("width", self._width), changes.pop("height", self._height))
        try:
            return self._core.reconfigure(to_text("reconfigure", changes, ENCODER))
        finally:
            self._log()
            self._look()

    def recover(self, seq: int) -> str:
        """Tells that the unit of `seq`, and all after it, did not reach the decoder. Returns how later
        pictures do without: "reference" (they refer to what came before), "refresh" (a column of intra
        blocks moves), or "idr" (the next one is; also where seq is not known any more)."""
        try:
            return _RECOVERY[self._core.recover(operator.index(seq))]
        finally:
            self._log()

    # ---- the end ----

    def close(self) -> None:
        """Frees everything; what is on its way is lost. More than once."""
        self._core.close()

    def __enter__(self) -> Encoder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        codec, backend, _, width, height, _ = self._core.info()
        return f"<sluice.Encoder {width}x{height} {codec} {backend}{', closed' if self.closed else ''}>"


def _pairs(units: "list[tuple[Any, ...]]") -> "list[tuple[int, bytes, bool]]":
    return [(unit[1], unit[0], unit[4]) for unit in units]


Encoder.__init__ = functools.partial(describe, table=ENCODER, without=("size", "rate"))(Encoder.__init__)
