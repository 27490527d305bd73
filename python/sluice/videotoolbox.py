# SPDX-License-Identifier: BSD-2-Clause
"""NV12 in the host's memory to H.264 or HEVC, Annex B, by Apple's VideoToolbox.

    from sluice.videotoolbox import VtEncoder
    encoder = VtEncoder(1920, 1080, bitrate=12_000_000)
    annexb = encoder.encode(numpy.zeros((1080 * 3 // 2, 1920), numpy.uint8), force_idr=True)

abi           version of what VideoToolbox is called through; "" where it was not built in
nvtx_enabled  False: those ranges are NVIDIA's
supported()   whether VideoToolbox can serve here
"""
from __future__ import annotations

from typing import Any

from ._dropin import Nv12Encoder, backend, even_size, number, word

__all__ = ["VtEncoder", "abi", "nvtx_enabled", "supported"]

abi: str
nvtx_enabled = False


def supported() -> bool:
    """Whether VideoToolbox can serve here."""
    found = backend("videotoolbox")
    return found is not None and bool(found["available"])


def __getattr__(name: str) -> Any:
    if name == "abi":
        found = backend("videotoolbox")
        return (found["version"] or "") if found else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class VtEncoder(Nv12Encoder):
    """NV12 pictures to H.264 or HEVC by VideoToolbox: each encode() gives the unit of its own picture.
    Tagged BT.601, limited range, at every size.

    width, height  even
    codec          "h264" (baseline), or "hevc" (main)
    fps            nominal frames per second; int, Fraction, float as it is written
    gop            pictures from IDR to IDR; 0: on demand alone
    bitrate        bit/s on average
    realtime, low_latency  taken for compatibility: one in, one out is low latency in real time always

    Frames are exactly (height * 3/2, width) uint8, C-contiguous, with a buffer: numpy, an evaluated MLX
    array.

    Raises ValueError for a size that is odd or not above 0, an unknown codec, any other frame;
    RuntimeError for what fails at the device, and use after close().
    """

    def __init__(self, width: int, height: int, codec: str = "h264", fps: Any = 30, gop: int = 30,
                 bitrate: int = 12_000_000, realtime: bool = True, low_latency: bool = True):
        width, height = even_size(width, height)
        word("codec", codec, ("h264", "hevc"))
        self._open(width, height, codec=codec, backend="videotoolbox", fps=fps,
                   gop=number("gop", gop, 0, 2**31 - 2),
                   bitrate=number("bitrate", bitrate, 1, 2_000_000_000),
                   profile="baseline" if codec == "h264" else "main")

    def _check(self, frame: Any) -> None:
        expected = f"expected {(self.height * 3 // 2, self.width)} uint8, C-contiguous"
        try:
            view = memoryview(frame)
        except (TypeError, BufferError) as error:
            raise ValueError(f"a {type(frame).__name__} has no buffer ({error}), {expected}") from None
        with view:
            if (view.shape != (self.height * 3 // 2, self.width) or view.format != "B" or
                    not view.c_contiguous):
                raise ValueError(f"the frame is {view.shape} of {view.format!r} with strides "
                                 f"{view.strides}, {expected}")
