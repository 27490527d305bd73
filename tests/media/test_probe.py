# SPDX-License-Identifier: BSD-2-Clause
"""sluice probe against ffprobe."""
import json

import pytest

from lib import CORPUS, F, probe, sluice


def compare(path):
    ours = json.loads(sluice("probe", "--json", path).stdout)
    theirs = probe(path, "-show_streams", warn=False)["streams"]
    assert len(ours["tracks"]) == len(theirs)
    for a, b in zip(ours["tracks"], theirs):
        if b["codec_type"] in ("video", "audio"):
            assert a["kind"] == b["codec_type"]
            assert a["codec"] == b["codec_name"], (a, b["codec_name"])
        # Ours is finer where Matroska's DefaultDuration proves the exact rate.
        assert F(a["timebase"]) == F(b["time_base"]) or (ours["format"] == "mkv" and F(a["timebase"]) < F(b["time_base"]))
        if "start_pts" in b and "start" in a:
            assert a["start"] == b["start_pts"]
        if a["kind"] == "video":
            assert (a["width"], a["height"]) == (b["width"], b["height"])
            if b.get("color_space", "unknown") != "unknown":
                names = {"bt709": 1, "smpte170m": 6, "bt470bg": 5, "bt2020nc": 9, "gbr": 0, "fcc": 4}
                assert a["colour"]["matrix"] == names[b["color_space"]]
        if a["kind"] == "audio":
            assert str(a["sample_rate"]) == b["sample_rate"] and a["channels"] == b["channels"]
    return ours


@pytest.mark.parametrize("name", ["plain.mkv", "plain.mp4", "plain.ts", "web.webm", "hevc10.mp4", "two.mkv",
                                  "surround.mkv", "anamorphic.mkv"])
def test_generated(media, name):
    ours = compare(media(name))
    text = sluice("probe", media(name)).stdout.decode()
    for t in ours["tracks"]:
        assert t["codec"] in text


def test_rotation(media):
    ours = compare(media.rotated())
    assert ours["tracks"][0]["rotation"] in (90, 270)


@pytest.mark.parametrize("path", sorted(p for p in CORPUS.glob("*.*") if p.suffix != ".tsv") if CORPUS.exists() else [],
                         ids=lambda p: p.name)
def test_corpus(path):
    compare(path)


def test_version():
    text = sluice("--version").stdout.decode()
    assert text.startswith("sluice ") and "Licence of this binary: " in text and "x264" in text
