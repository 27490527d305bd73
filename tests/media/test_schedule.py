# SPDX-License-Identifier: BSD-2-Clause
"""sluice schedule: made, checked and drawn, as a user does it; the schema says what the reader does."""
import json
import re
import xml.dom.minidom

import pytest

from lib import ROOT, sluice

SCHEMA = json.loads((ROOT / "docs" / "schedule.schema.json").read_text())


def make(path, *args):
    sluice("schedule", "make", *args, "-o", path)
    return json.loads(path.read_text())


def check(path, *args, ok=True):
    return sluice("schedule", "check", path, *args, ok=ok)


@pytest.mark.parametrize("layers", [2, 3, 4, 5, 6])
@pytest.mark.parametrize("order", ["depth", "breadth"])
def test_pyramids(tmp_path, layers, order):
    gop = 2 ** (layers - 1)
    args = ["--frames", 2 * gop + 1, "--gop", gop, "--keyint", 2 * gop + 1, "--order", order]
    if layers == 6:
        args.append("--forget")
        if order == "breadth":  # 16 of one layer before the next: more than H.264 holds
            done = sluice("schedule", "make", *args, "-o", tmp_path / "s.json", ok=False)
            assert done.returncode == 2 and b"more than the 16 frames" in done.stderr
            assert not (tmp_path / "s.json").exists()
            return
    made = make(tmp_path / "s.json", *args)
    frames = sorted(made["frames"], key=lambda f: f["display"])
    assert [f["decode"] for f in made["frames"]] == list(range(2 * gop + 1))
    for f in frames:
        step = gop >> f["layer"]
        assert f["display"] % step == 0 and (f["layer"] == 0 or f["display"] % (2 * step))
    text = check(tmp_path / "s.json").stdout.decode()
    assert f"{layers} layers, dpb {made['dpb']} ({made['dpb']} needed)" in text


def test_low_delay(tmp_path):
    made = make(tmp_path / "s.json", "--frames", 20, "--gop", 4, "--low-delay", "--rate", "30000/1001")
    assert made["fps"] == [30000, 1001] and made["reorder"] == 0
    assert [f["display"] for f in made["frames"]] == list(range(20))
    assert {f["type"] for f in made["frames"]} == {"idr", "p"}


def test_level(tmp_path):
    make(tmp_path / "s.json", "--frames", 129, "--keyint", 129, "--forget")
    done = check(tmp_path / "s.json", "--size", "1280x720", "--level", "4.0")
    assert b"dpb 8" in done.stdout and b"level 4.0 at 1280x720" in done.stdout
    make(tmp_path / "t.json", "--frames", 129)
    done = check(tmp_path / "t.json", "--size", "1280x720", "--level", "4.0", ok=False)
    assert done.returncode == 1
    assert b"a DPB of 12 frames; level 4.0 holds 9 of 1280x720, 5.0 is needed" in done.stderr
    assert check(tmp_path / "t.json", "--level", "4", ok=False).returncode == 2
    for bad in ("1280", "0x5", "1280x720p"):
        assert check(tmp_path / "t.json", "--size", bad, ok=False).returncode == 2


def test_shown(tmp_path):
    make(tmp_path / "s.json", "--frames", 40, "--gop", 8)
    text = sluice("schedule", "show", tmp_path / "s.json", "--count", 9).stdout.decode()
    assert "display     0    1    2    3    4    5    6    7    8\n" in text
    assert "layer 3     .    b    .    b    .    b    .    b    .\n" in text
    sluice("schedule", "show", tmp_path / "s.json", "--output", tmp_path / "s.svg")
    svg = xml.dom.minidom.parse(str(tmp_path / "s.svg"))
    assert len(svg.getElementsByTagName("title")) == 40
    sluice("schedule", "show", tmp_path / "s.json", "--output", tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "s.json").read_bytes()


def test_pipes(tmp_path):
    made = sluice("schedule", "make", "--frames", "5").stdout
    done = sluice("schedule", "check", "-", input=made)
    assert done.stdout.startswith(b"5 frames")
    done = sluice("schedule", "check", "-", input=made[:-20], ok=False)
    assert done.returncode == 1 and re.match(rb"sluice: standard input: line \d+, column \d+: ", done.stderr)


def test_words(tmp_path):
    """Usage is status 2 and names what to do; a bad schedule 1, naming line and frame."""
    for args in (["schedule"], ["schedule", "draw"], ["schedule", "make"], ["schedule", "check"],
                 ["schedule", "make", "--frames", "9", "--gop", "5"],
                 ["schedule", "make", "--frames", "9", "--low-delay", "--bframes", "3"],
                 ["schedule", "show", "x", "--format", "png"], ["schedule", "show", "x", "--first", "-1"]):
        done = sluice(*args, ok=False)
        assert done.returncode == 2 and done.stdout == b"" and done.stderr, args
    assert sluice("schedule", "--help").stdout.startswith(b"Usage: sluice schedule VERB")
    made = make(tmp_path / "s.json", "--frames", 9, "--gop", 4)
    made["dpb"] = 2
    (tmp_path / "s.json").write_text(json.dumps(made, indent=0))
    done = check(tmp_path / "s.json", ok=False)
    assert done.returncode == 1
    assert re.search(rb"s.json: line \d+, column 1: frames\[3\]: frame 1: frame 0 has left the DPB of 2 frames",
                     done.stderr)


def test_schema_and_reader_agree(tmp_path):
    """The same keys, and each bound of the schema is where the reader stops."""
    frame = SCHEMA["$defs"]["frame"]
    base = {"version": 1, "frames": [{"display": 0, "decode": 0, "type": "idr", "layer": 0}]}
    path = tmp_path / "s.json"

    def said(document):
        path.write_text(json.dumps(document))
        done = check(path, ok=False)
        assert done.returncode == (1 if done.stderr else 0)
        return done.stderr.decode()

    assert said(base) == ""
    assert "known: " + ", ".join(SCHEMA["properties"]) in said({**base, "x": 1})
    assert "known: " + ", ".join(frame["properties"]) in \
        said({**base, "frames": [{**base["frames"][0], "x": 1}]})
    for key in SCHEMA["required"]:
        assert f'"{key}" is missing' in said({k: v for k, v in base.items() if k != key})
    for key in frame["required"]:
        assert f'"{key}" is missing' in \
            said({**base, "frames": [{k: v for k, v in base["frames"][0].items() if k != key}]})
    for name, rule in SCHEMA["properties"].items():
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in rule:
                assert "is out of range" in said({**base, name: rule[bound] + step})
    for name, rule in frame["properties"].items():
        rule = SCHEMA["$defs"][rule["$ref"].split("/")[-1]] if "$ref" in rule else rule
        for bound, step in (("minimum", -1), ("maximum", 1)):
            if bound in rule:
                assert f"{name}: {rule[bound] + step} is out of range" in \
                    said({**base, "frames": [{**base["frames"][0], name: rule[bound] + step}]})
        if rule.get("type") == "array":
            assert "17 numbers, at most 16 are allowed" in \
                said({**base, "frames": [{**base["frames"][0], name: list(range(17))}]})
    for kind in frame["properties"]["type"]["enum"]:
        assert kind in said({**base, "frames": [{**base["frames"][0], "type": "x"}]})
