# SPDX-License-Identifier: BSD-2-Clause
import os
import pathlib
import random
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lib import Server, raise_file_limit  # noqa: E402

BIG = 3 << 20


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def fill(root):
    """A directory like a ladder's, and everything around it that must not be seen."""
    root.mkdir(parents=True)
    (root.parent / "secret.txt").write_text("secret\n")
    (root / "small.txt").write_text("small\n")
    (root / "empty.txt").write_text("")
    (root / "page.html").write_text("<!DOCTYPE html><title>x</title>\n")
    (root / "big.mp4").write_bytes(noise(BIG, 1))
    (root / "edge.bin").write_bytes(noise(65536, 2))
    (root / "edge1.bin").write_bytes(noise(65537, 3))
    (root / "a b%é.txt").write_text("odd name\n")
    (root / ".hidden").write_text("secret\n")
    (root / ".dir").mkdir()
    (root / ".dir" / "x.txt").write_text("secret\n")
    (root / "half.m4s.sltmp").write_text("secret\n")
    film = root / "film"
    (film / "360p" / "000").mkdir(parents=True)
    (film / "master.m3u8").write_text(
        '#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.42c01f"\n360p/playlist.m3u8\n')
    (film / "360p" / "playlist.m3u8").write_text("#EXTM3U\n")
    (film / "360p" / "init.mp4").write_bytes(noise(700, 4))
    (film / "360p" / "000" / "000000.m4s").write_bytes(noise(100000, 5))
    (film / "360p" / "000" / "000001.ts").write_bytes(noise(188, 6))
    (root / "inside.txt").symlink_to("small.txt")
    (root / "out.txt").symlink_to("../secret.txt")
    (root / "out-absolute.txt").symlink_to(root.parent / "secret.txt")
    (root / "out-dir").symlink_to("..")
    (root / "passwd").symlink_to("/etc/passwd")
    (root / "self").symlink_to("self")
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "fifo.txt")
    return root


@pytest.fixture(scope="session", autouse=True)
def files():
    raise_file_limit()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("http") / "root")


@pytest.fixture(scope="session")
def shared(site):
    """One server for all tests that leave it as it was."""
    with Server(site) as server:
        yield server


@pytest.fixture
def own(tmp_path):
    """A directory for a test that changes it."""
    return fill(tmp_path / "root")
