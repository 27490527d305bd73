# SPDX-License-Identifier: BSD-2-Clause
# The keywords are those of the option table, which a type checker cannot read. A test compares.
from collections.abc import Iterator
from fractions import Fraction
from types import TracebackType
from typing import Any, Literal, NamedTuple

_Rational = int | float | str | Fraction
_Size = tuple[int, int] | str

class AccessUnit(NamedTuple):
    data: bytes
    token: int
    pts: int
    dts: int
    key: bool
    header_size: int
    layer: int
    qp: int
    copy_ns: int
    convert_ns: int
    encode_ns: int
    @property
    def copy_ms(self) -> float: ...
    @property
    def convert_ms(self) -> float: ...
    @property
    def encode_ms(self) -> float: ...

def _backends() -> Iterator[dict[str, Any]]: ...
def nvtx() -> tuple[Any, Any] | None: ...
def encoders() -> list[dict[str, Any]]: ...

class Encoder:
    def __init__(
        self,
        width: int,
        height: int,
        *,
        codec: Literal["h264", "hevc"] = ...,
        backend: str = ...,
        fps: _Rational = ...,
        format: Literal["nv12", "i420", "i444", "p010", "rgb24", "bgr24", "rgba", "bgra"] | None = ...,
        cuda_context: int = ...,
        max_size: _Size | None = ...,
        rate: _Rational | None = ...,
        timebase: _Rational | None = ...,
        gop: int | None = ...,
        rate_control: Literal["auto", "vbr", "crf", "cbr", "cqp"] | None = ...,
        bitrate: int | str | None = ...,
        maxrate: int | str | None = ...,
        buffer: int | str | None = ...,
        crf: _Rational | None = ...,
        qp: int | None = ...,
        profile: str | None = ...,
        level: str | None = ...,
        preset: str | None = ...,
        tune: str | None = ...,
        latency: Literal["sync", "pipelined", "lookahead"] | None = ...,
        depth: int | None = ...,
        bframes: int | None = ...,
        colour: Literal["auto", "bt601", "bt709", "bt2020"] | None = ...,
        range: Literal["auto", "limited", "full"] | None = ...,
        primaries: int | None = ...,
        transfer: int | None = ...,
        matrix: int | None = ...,
        chroma_location: int | None = ...,
        sample_aspect: _Rational | None = ...,
        threads: int | None = ...,
        intra_refresh: bool | None = ...,
        loss_recovery: bool | None = ...,
        gpu: int | None = ...,
        extra_output_delay: int | None = ...,
        nvtx: bool | None = ...,
    ) -> None: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def codec_string(self) -> str: ...
    @property
    def backend(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def delay(self) -> int: ...
    @property
    def stats(self) -> dict[str, int]: ...
    @property
    def last(self) -> AccessUnit | None: ...
    @property
    def closed(self) -> bool: ...
    def encode(self, frame: Any, force_idr: bool = ..., *, pts: int | None = ..., sei: Any = ...) -> bytes: ...
    def submit(
        self, frame: Any, seq: int, force_idr: bool = ..., *, pts: int | None = ..., sei: Any = ...
    ) -> list[tuple[int, bytes, bool]]: ...
    def flush(self) -> list[bytes]: ...
    def flush_pipeline(self) -> list[tuple[int, bytes, bool]]: ...
    def reconfigure(
        self,
        *,
        bitrate: int | str | None = ...,
        maxrate: int | str | None = ...,
        buffer: int | str | None = ...,
        crf: _Rational | None = ...,
        qp: int | None = ...,
        fps: _Rational | None = ...,
        rate: _Rational | None = ...,
        width: int = ...,
        height: int = ...,
        size: _Size | None = ...,
    ) -> bool: ...
    def recover(self, seq: int) -> Literal["reference", "refresh", "idr"]: ...
    def close(self) -> None: ...
    def __enter__(self) -> Encoder: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...
