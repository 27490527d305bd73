# SPDX-License-Identifier: BSD-2-Clause
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib import make  # noqa: E402


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """Sources that several tests use, made once. media("name") gives the path."""
    home = tmp_path_factory.mktemp("media")
    picture = "testsrc2=size=640x480:rate=30000/1001:duration=10"
    tone = "sine=frequency=440:sample_rate=44100:duration=10"
    av = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]
    x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "48"]
    small = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"]
    recipes = {
        "plain.mkv": [*av, *x264, "-pix_fmt", "yuv420p", "-c:a", "ac3", "-ac", "2"],
        "plain.mp4": [*av, *x264, "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "plain.ts": [*av, *x264, "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac"],
        "silent.mp4": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=6", *small],
        "vfr.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30:duration=12",
                    "-vf", r"select='not(mod(n\,3))+lt(mod(n\,60)\,20)',setpts=PTS", "-vsync", "vfr", *small],
        "hole.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=20",
                     "-vf", "select='lt(t,2)+gt(t,15)'", "-vsync", "vfr", *small],
        "long-audio.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=5",
                           "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=14",
                           *small, "-c:a", "aac"],
        "short-audio.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=9",
                            "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4",
                            *small, "-c:a", "aac"],
        "surround.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=5",
                         "-f", "lavfi", "-i",
                         "sine=frequency=440:sample_rate=48000:duration=5,pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0",
                         *small, "-c:a", "eac3"],
        "mono.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=24000/1001:duration=5",
                     "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=22050:duration=5",
                     *small, "-c:a", "libmp3lame"],
        "hevc10.mp4": ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=5", "-c:v", "libx265",
                       "-x265-params", "log-level=error", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le",
                       "-tag:v", "hvc1"],
        "web.webm": ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=5",
                     "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=5",
                     "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis"],
        "two.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=5",
                    "-f", "lavfi", "-i", "testsrc=size=480x360:rate=30:duration=5",
                    "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=5",
                    "-f", "lavfi", "-i", "sine=frequency=880:sample_rate=48000:duration=5",
                    "-map", "0", "-map", "1", "-map", "2", "-map", "3", *small, "-c:a", "aac",
                    "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"],
        "odd.mkv": ["-f", "lavfi", "-i", "testsrc2=size=321x243:rate=25:duration=5", "-c:v", "ffv1",
                    "-pix_fmt", "yuv444p"],
        "anamorphic.mkv": ["-f", "lavfi", "-i", "testsrc2=size=720x576:rate=25:duration=5,setsar=16/11", *small],
        "full.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25:duration=5", "-pix_fmt", "yuvj420p",
                     "-c:v", "libx264", "-preset", "ultrafast"],
        "film-rate.mkv": ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=24000/1001:duration=20", *small],
    }

    def get(name):
        path = home / name
        if not path.exists():
            make(path, *recipes[name])
        return path

    def rotated():
        path = home / "rotated.mp4"
        if not path.exists():
            make(path, "-i", get("silent.mp4"), "-c", "copy", "-metadata:s:v:0", "rotate=90")
        return path

    get.rotated = rotated
    get.home = home
    return get


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"
