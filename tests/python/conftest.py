# SPDX-License-Identifier: BSD-2-Clause
"""Tests of the Python package. SLUICE_PYTHON names the folder that it is imported from,
SLUICE_PYTHON_RELEASE that of the release build, for what measures memory."""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
RELEASE = os.environ.get("SLUICE_PYTHON_RELEASE", str(ROOT / "build" / "python"))
sys.path.insert(0, os.environ.get("SLUICE_PYTHON", RELEASE))

import sluice  # noqa: E402,F401

# A sanitizer's runtime is preloaded for this process; ffmpeg and curl do without.
PRELOAD = os.environ.pop("LD_PRELOAD", None)


def run(*args, **kw):
    done = subprocess.run([str(a) for a in args], capture_output=True, timeout=120, **kw)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]
    return done


def hashes(path, *maps):
    """The MD5 of each packet of each stream of interest, in order, as ffmpeg reads them."""
    out = {}
    for m in maps or ("0:v", "0:a"):
        text = run("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", m, "-c", "copy",
                   "-f", "framemd5", "-").stdout.decode()
        # The sixth column; what follows is about side data, which is the container's.
        out[m] = [line.split(",")[5].strip() for line in text.splitlines()
                  if line and not line.startswith("#")]
    return out


def pictures(path):
    """The MD5 of each decoded picture, by time."""
    text = run("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-map", "0:v", "-f", "framemd5",
               "-").stdout.decode()
    return [line.split(",")[5] for line in text.splitlines() if line and line[0] != "#"]


def shown(path, stream="v"):
    """Times of the decoded frames that a player shows, in seconds."""
    text = run("ffprobe", "-v", "error", "-select_streams", stream, "-show_entries",
               "frame=pts_time", "-of", "csv=p=0", path).stdout.decode()
    return sorted(float(line.split(",")[0]) for line in text.split())


def clean(path):
    """ffmpeg decodes all of it without a word."""
    done = run("ffmpeg", "-nostdin", "-v", "warning", "-xerror", "-i", path, "-f", "null", "-")
    assert done.stderr == b"", done.stderr.decode()


def top(data):
    """The names of the boxes, not what is in them."""
    names, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at:at + 4], "big")
        assert size >= 8 and at + size <= len(data), (at, size)
        names.append(data[at + 4:at + 8].decode())
        at += size
    return names


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """media("name") makes a source once and gives its path."""
    home = tmp_path_factory.mktemp("media")
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30000/1001:duration=12"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=12"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-b:v", "1M", "-g", "30", "-bf", "2",
              "-pix_fmt", "yuv420p", "-c:a", "aac"]
    recipes = {
        "av.mkv": [*picture, *tone, *codecs],
        "end.mp4": [*picture, *tone, *codecs],  # moov behind mdat
        "av.ts": [*picture, *tone, *codecs],
        "ac3.mkv": [*picture, *tone, *codecs, "-c:a", "ac3"],
        # Large enough to be in the middle of when somebody leaves.
        "long.mkv": ["-stream_loop", "19", "-i", "av.mkv", "-c", "copy"],
    }

    def get(name):
        path = home / name
        if not path.exists():
            args = [media_path(a) if a.endswith(".mkv") else a for a in recipes[name]]
            run("ffmpeg", "-nostdin", "-v", "error", "-y", *args, path)
        return path

    def media_path(name):
        return str(get(name))

    return get
