# SPDX-License-Identifier: BSD-2-Clause
"""What NvencEncoder and VtEncoder share: the calls and errors of the bindings whose place they take."""
from __future__ import annotations

import operator
from typing import Any, Callable

from ._encoder import Encoder, _backends
from ._error import Error


def number(name: str, value: Any, least: int, most: int) -> int:
    value = operator.index(value)
    if not least <= value <= most:
        raise ValueError(f"{name} {value}, expected {least} to {most}")
    return value


def word(name: str, value: str, known: "tuple[str, ...]") -> str:
    if value not in known:
        raise ValueError(f"{name} {value!r}, expected one of {', '.join(known)}")
    return value


def even_size(width: Any, height: Any) -> "tuple[int, int]":
    size = operator.index(width), operator.index(height)
    if min(size) <= 0 or size[0] % 2 or size[1] % 2:
        raise ValueError(f"size {size[0]}x{size[1]}, expected even numbers above 0")
    return size


def backend(name: str) -> "dict[str, Any] | None":
    """What is known of one; None where it is not in this build."""
    return next((found for found in _backends() if found["name"] == name), None)


class Nv12Encoder:
    """NV12 in, H.264 or HEVC in Annex B out, one device."""

    _encoder: "Encoder | None" = None

    def _open(self, width: int, height: int, **options: Any) -> None:
        """Colour is BT.601, limited range, at every size, as the callers' own conversion does it."""
        self._size = width, height
        self._first = ""  # the codec string, once a key frame is out
        self._copy_ns = self._encode_ns = 0
        try:
            self._encoder = Encoder(width, height, format="nv12", colour="bt601", range="limited", **options)
        except Error as error:
            kind = ValueError if error.status.name == "EINVAL" else RuntimeError
            raise kind(str(error)) from error

    def _call(self, function: "Callable[..., Any]", *arguments: Any) -> Any:
        try:
            result = function(*arguments)
        except Error as error:
            raise RuntimeError(str(error)) from error
        encoder = self._encoder
        if encoder is not None and (last := encoder.last) is not None:
            self._copy_ns, self._encode_ns = last.copy_ns, last.encode_ns
            if last.key or not self._first:
                self._first = encoder.codec_string
        return result

    def _check(self, frame: Any) -> None:
        raise NotImplementedError

    def _ready(self, frame: Any) -> Encoder:
        if self._encoder is None:
            raise RuntimeError("the encoder is closed")
        self._check(frame)
        return self._encoder

    @property
    def width(self) -> int:
        return self._size[0]

    @property
    def height(self) -> int:
        return self._size[1]

    @property
    def codec_string(self) -> str:
        """RFC 6381, as the parameter sets say it: "avc1.42c01f". Empty until the first key frame."""
        return self._first

    @property
    def last_copy_ms(self) -> float:
        """Milliseconds that getting the picture of the last unit to the device took."""
        return self._copy_ns / 1e6

    @property
    def last_encode_ms(self) -> float:
        """Milliseconds from then on until the last unit was there."""
        return self._encode_ns / 1e6

    def encode(self, frame: Any, force_idr: bool = False) -> bytes:
        """Annex B bytes of the units that are ready: this picture's, or with pictures held back that of
        an earlier one, maybe none (empty) for the first few.

        frame      (height * 3/2, width) uint8, NV12: the luma rows, then those of Cb and Cr in turn
        force_idr  code it as an IDR picture, with parameter sets in front
        """
        encoder = self._ready(frame)
        units = self._call(encoder.submit, frame, 0, force_idr)
        return b"".join(data for _, data, _ in units)

    def submit(self, frame: Any, seq: int, force_idr: bool = False) -> "list[tuple[int, bytes, bool]]":
        """The same, as (seq, Annex B bytes, keyframe) of each unit that is ready: each seq once, in
        order, whatever gaps there are in seq."""
        encoder = self._ready(frame)
        return self._call(encoder.submit, frame, seq, force_idr)

    def flush(self) -> bytes:
        """Annex B bytes of all pictures on their way; empty after close(). What is encoded after it
        begins anew."""
        return b"".join(data for _, data, _ in self.flush_pipeline())

    def flush_pipeline(self) -> "list[tuple[int, bytes, bool]]":
        """The same, as submit() gives them."""
        return self._call(self._encoder.flush_pipeline) if self._encoder is not None else []

    def close(self) -> None:
        """Frees everything; what is on its way is lost. More than once."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
