# SPDX-License-Identifier: BSD-2-Clause
"""NV12 in the memory of an NVIDIA device (or the host) to H.264 or HEVC, Annex B, by NVENC.

    from sluice.nvenc import NvencEncoder
    encoder = NvencEncoder(1920, 1080, bitrate=10_000_000)
    annexb = encoder.encode(cupy.zeros((1080 * 3 // 2, 1920), cupy.uint8), force_idr=True)

abi           NVENC's API version that this was built against, "11.1"; "" where it was not built in
nvtx_enabled  True where ranges named pdum.… are made for NVIDIA's profilers
supported()   whether the driver can be had here
"""
from __future__ import annotations

import re
from typing import Any

from ._dropin import Nv12Encoder, backend, even_size, number, word
from ._encoder import nvtx

__all__ = ["NvencEncoder", "abi", "nvtx_enabled", "supported"]

abi: str
nvtx_enabled: bool

_PRESETS = tuple(f"p{i}" for i in range(1, 8))
_TUNINGS = {"ll": "ll", "ull": "ull", "hq": "hq", "lossless": "lossless", "low_latency": "ll",
            "ultra_low_latency": "ull", "high_quality": "hq"}
_CODECS = {"h264": "h264", "hevc": "hevc", "h265": "hevc"}
_PROFILES = {"h264": ("auto", "baseline", "main", "high"), "hevc": ("auto", "main")}


def supported() -> bool:
    """Whether NVENC can serve here: driver and library are there, and recent enough."""
    found = backend("nvenc")
    return found is not None and bool(found["available"])


def __getattr__(name: str) -> Any:
    # When they are asked for: an import should open no driver.
    if name == "abi":
        found = backend("nvenc")
        told = re.search(r"\d+\.\d+", found["version"] or "") if found else None
        return told[0] if told else ""
    if name == "nvtx_enabled":
        return nvtx() is not None
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class NvencEncoder(Nv12Encoder):
    """NV12 pictures to H.264 or HEVC by NVENC. Tagged BT.601, limited range, at every size.

    width, height       even
    codec               "h264", or "hevc"
    preset              "p1" (fastest) to "p7"
    tuning              "ll", "ull", "hq", "lossless"
    fps                 nominal frames per second; int, Fraction, float as it is written
    gop                 pictures from IDR to IDR; 0: on demand alone
    bitrate             bit/s, at most as well; 0: constant quality
    gpu_id              index of the device
    cuda_context        address of the CUcontext to share; 0: the primary one of the device, which is
                        that of CuPy and PyTorch
    extra_output_delay  pictures held back; 0: encode() gives the unit of its own picture; at most 16
    profile             "auto", "baseline", "main", "high"; HEVC: "auto", "main"

    Frames have __cuda_array_interface__ (version 3; its stream is waited for) or __array_interface__ and
    are (height * 3/2, width) uint8, with any gap between rows.

    Raises ValueError for a size that is odd or not above 0, an unknown word, a frame of another shape;
    RuntimeError for what fails at the device, a frame without such an interface, use after close().
    """

    def __init__(self, width: int, height: int, codec: str = "h264", preset: str = "p3", tuning: str = "ll",
                 fps: Any = 30, gop: int = 30, bitrate: int = 0, gpu_id: int = 0, cuda_context: int = 0,
                 extra_output_delay: int = 0, profile: str = "auto"):
        width, height = even_size(width, height)
        codec = _CODECS[word("codec", codec, tuple(_CODECS))]
        word("preset", preset, _PRESETS)
        tuning = _TUNINGS[word("tuning", tuning, tuple(_TUNINGS))]
        word("profile", profile, _PROFILES[codec])
        # Below 0 they have always been taken as 0.
        delay = number("extra_output_delay", max(extra_output_delay, 0), 0, 16)
        bitrate = number("bitrate", max(bitrate, 0), 0, 2_000_000_000)
        options: "dict[str, Any]" = {"gop": number("gop", max(gop, 0), 0, 2**31 - 2), "fps": fps,
                                     "gpu": number("gpu_id", gpu_id, 0, 63)}
        if bitrate:
            options.update(bitrate=bitrate, maxrate=bitrate)
        if profile != "auto":
            options["profile"] = profile
        if delay:
            options.update(latency="pipelined", depth=delay)
        self._open(width, height, codec=codec, backend="nvenc", preset=preset, tune=tuning, nvtx=True,
                   cuda_context=number("cuda_context", cuda_context, 0, 2**64 - 1), **options)

    def _check(self, frame: Any) -> None:
        if not hasattr(frame, "__cuda_array_interface__") and not hasattr(frame, "__array_interface__"):
            raise RuntimeError(f"a {type(frame).__name__} has neither __cuda_array_interface__ nor "
                               "__array_interface__")
