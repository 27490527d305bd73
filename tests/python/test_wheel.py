# SPDX-License-Identifier: BSD-2-Clause
"""make wheel: one file that stands on its own."""
import base64
import csv
import hashlib
import os
import pathlib
import re
import subprocess
import zipfile

import pytest

from conftest import RELEASE, ROOT, run

BUILD = pathlib.Path(RELEASE).resolve().parent

USE = """
import importlib.metadata, pathlib, sys
import sluice
here = pathlib.Path.cwd()
assert pathlib.Path(sluice.__file__).parent == here / "sluice", sluice.__file__
assert importlib.metadata.version("sluice") == sluice.__version__
with sluice.Encoder(160, 90, format="rgb24") as encoder:
    unit = encoder.encode(bytes(160 * 90 * 3), force_idr=True)
    assert unit.startswith(bytes([0, 0, 0, 1])) and encoder.codec_string.startswith("avc1.")
film = b"".join(sluice.remux(sys.argv[1], audio="aac"))  # opens modules
assert film[4:8] == b"ftyp" and len(film) > 10000
loaded = {line.split()[-1] for line in open("/proc/self/maps") if "sluice" in line or "libav.so" in line}
assert all(path.startswith(str(here)) for path in loaded), loaded
print(*sorted(pathlib.Path(path).name for path in loaded))
"""


@pytest.fixture(scope="module")
def wheel():
    if not (BUILD / "build.ninja").exists():
        pytest.skip(f"{BUILD} is no build folder")
    run("ninja", "-C", BUILD, "wheel")
    return BUILD / "python" / "wheel" / (BUILD / "python" / "wheel" / "wheel.stamp").read_text().strip()


def test_it_is_one(wheel):
    """Name, tag and record, as pip checks them."""
    name = re.fullmatch(r"(sluice-([\d.]+))-cp311-abi3-(linux_\w+)\.whl", wheel.name)
    assert name, wheel.name
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        folder = f"{name[1]}.dist-info"
        assert f"Tag: cp311-abi3-{name[3]}\n" in archive.read(f"{folder}/WHEEL").decode()
        metadata = archive.read(f"{folder}/METADATA").decode()
        assert metadata.startswith("Metadata-Version: 2.1\nName: sluice\nVersion: " + name[2])
        rows = list(csv.reader(archive.read(f"{folder}/RECORD").decode().splitlines()))
        assert sorted(row[0] for row in rows) == sorted(names) and len(set(names)) == len(names)
        for path, digest, size in rows:
            if path != f"{folder}/RECORD":
                data = archive.read(path)
                sha = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={sha}", len(data)), path
        package = {p.name for p in (ROOT / "python" / "sluice").iterdir() if p.suffix in (".py", ".pyi", ".typed")}
        assert {f"sluice/{n}" for n in package | {"py.typed", "_sluice.abi3.so"}} <= set(names)
        assert f"{folder}/LICENSE" in names and any(n.startswith("sluice/modules/encode-libav") for n in names)


def test_it_works_where_it_is_unpacked(wheel, media, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    done = subprocess.run(["/usr/bin/python3", "-c", USE, media("ac3.mkv")], cwd=tmp_path, capture_output=True, text=True,
                          timeout=120, env={k: v for k, v in os.environ.items() if not k.startswith("SLUICE")} |
                          {"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "_sluice.abi3.so" in done.stdout and "encode-libav.so" in done.stdout and "libsluice" not in done.stdout
