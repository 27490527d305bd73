# SPDX-License-Identifier: BSD-2-Clause
# The keywords are those of the option table, which a type checker cannot read. A test compares.
import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from types import TracebackType
from typing import Any, Literal, TypedDict

_Rational = int | float | str | Fraction
_Path = str | os.PathLike[str]

class _Rendition(TypedDict):
    cid: str
    width: int
    height: int
    bitrate: int

class LadderOutput:
    def __init__(
        self,
        output_dir: _Path,
        source_size: tuple[int, int],
        fps: _Rational = ...,
        segment_duration: _Rational = ...,
        ipfs_gateway: str = ...,
        on_playlist_update: Callable[[str, dict[str, _Rendition]], None] | None = ...,
        audio_source: _Path | None = ...,
        *,
        run: str | None = ...,
        store: _Path | None = ...,
        format: Literal["ts", "fmp4"] = ...,
        rung: str | Sequence[str] | None = ...,
        preset: str | None = ...,
        threads: int | None = ...,
        audio_bitrate: int | None = ...,
        audio_channels: int | None = ...,
        audio_rate: int | None = ...,
        audio_track: int | None = ...,
        registry: _Path | None = ...,
        profile: Literal["unixfs-v1-2025", "unixfs-v1", "unixfs-v0"] | None = ...,
        window: int | None = ...,
        patience: int | None = ...,
        ipfs: str | None = ...,
        ipfs_wait: int | None = ...,
        ipfs_timeout: int | None = ...,
    ) -> None: ...
    @property
    def run(self) -> str: ...
    @property
    def is_open(self) -> bool: ...
    @property
    def playlist_cid(self) -> str | None: ...
    @property
    def playlist_url(self) -> str | None: ...
    @property
    def root_cid(self) -> str | None: ...
    @property
    def segment_cids(self) -> dict[str, list[str]]: ...
    def write(self, frame: Any, t: _Rational = ...) -> None: ...
    def close(self) -> None: ...
    def __enter__(self) -> LadderOutput: ...
    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...

MultiResolutionHLSOutput = LadderOutput
