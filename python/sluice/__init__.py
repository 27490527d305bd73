# SPDX-License-Identifier: BSD-2-Clause
"""Sluice: video that plays anywhere, at once.

    for chunk in sluice.remux("film.mkv"):         # fragmented MP4
        socket.sendall(chunk)

    async for chunk in sluice.segment(source, start=60, duration=4):
        await response.write(chunk)

    with sluice.FrameReader("film.mp4") as reader:  # numpy arrays, no more read than they need
        still = reader.at(1.5)

    with sluice.Encoder(1280, 720) as encoder:      # a picture in, its H.264 out, at once
        socket.send(encoder.encode(pixels))

    with sluice.LadderOutput("out", (1280, 720)) as output:  # a live run that can be watched meanwhile
        output.write(pixels)

See help(sluice.remux) for sources and options, help(sluice.Encoder), and docs/python.md.
"""
from __future__ import annotations

import enum
import os
from fractions import Fraction
from typing import Any

from . import _sluice
from ._encoder import AccessUnit, Encoder, encoders
from ._error import Error
from ._frames import FrameReader
from ._ladder import LadderOutput, MultiResolutionHLSOutput
from ._remux import Progress, Remux, remux, segment
from .nvenc import NvencEncoder
from .videotoolbox import VtEncoder

__all__ = ["AccessUnit", "Encoder", "Error", "FrameReader", "LadderOutput", "MultiResolutionHLSOutput", "NvencEncoder", "Progress", "Remux", "Status",
           "VtEncoder", "encoders", "features", "licence", "probe", "remux", "segment"]

__version__, licence, features = _sluice.version()

Status = enum.IntEnum("Status", _sluice.statuses(), module=__name__)


def probe(path: "str | os.PathLike[str]") -> dict[str, Any]:
    """What is inside a file: {"format": …, "duration": seconds, "tracks": [{…}, …]}, with the names
    of `sluice probe --json`. Fractions are exact; times of tracks are ticks of their timebase; what
    is not known is not there. Raises sluice.Error."""
    found = _sluice.probe(os.fsencode(os.fspath(path)))
    if "duration_us" in found:
        found["duration"] = Fraction(found.pop("duration_us"), 1_000_000)
    for track in found["tracks"]:
        for key in ("timebase", "sample_aspect", "frame_rate"):
            if key in track:
                track[key] = Fraction(*track[key])
    return found
