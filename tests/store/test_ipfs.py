# SPDX-License-Identifier: BSD-2-Clause
"""Runs that a node gets a copy of, while the node fails in all ways: kubo.py stands in for its failures alone."""
import json
import signal
import sqlite3
import contextlib
import subprocess
import time

import pytest

from kubo import Node, v1
from store_lib import ENV, SLUICE, Store, noise

LADDER = ["--raw", "rgb24", "--size", "64x36", "--rate", "30", "--segment", "1",
          "--rung", "name=a,height=36,bitrate=100,preset=ultrafast"]


@pytest.fixture
def node():
    node = Node()
    yield node
    if node.server:
        node.down()


class Run:
    def __init__(self, tmp, seconds=3, name="film"):
        self.name, self.store = name, Store(tmp / "store")
        self.source = tmp / "raw"
        if not self.source.exists():
            self.source.write_bytes(noise(64 * 36 * 3 * 30 * seconds, seconds))

    def command(self, verb, *more):
        place = ["--store", str(self.store.path)]
        if (verb in ("upload", "finish") or "--ipfs" in more) and "--ipfs-wait" not in more:  # however busy the machine is
            more += ("--ipfs-wait", 100)
        words = {"ladder": [SLUICE, "ladder", *LADDER, "--run", self.name, *place, str(self.source)]}
        return [*words.get(verb, [SLUICE, "runs", verb, self.name, *place]), *(str(word) for word in more)]

    def __call__(self, verb, *more, ok=True):
        done = subprocess.run(self.command(verb, *more), capture_output=True, text=True, env=ENV, timeout=120)
        assert "ERROR: " not in done.stderr and "runtime error" not in done.stderr, done.stderr
        assert (done.returncode == 0) == ok, done.stderr
        return done

    def show(self):
        return json.loads(self("show", "--json").stdout)

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.store.path / "registry.sqlite", timeout=10)) as db:
            return db.execute(sql).fetchall()

    def copied(self, node):
        """The node has pinned what the store has, and nothing else, and holds all below it."""
        assert self.show()["uploads"] == 0
        pins = {v1(p.name.split("@")[0]) for p in self.store.files("pins")}
        assert node.pins == pins
        assert all(node.holds(cid) for cid in pins)
        return self.show()["root_cid"]


def test_copied(tmp_path, node):
    run = Run(tmp_path)
    done = run("ladder", "--ipfs", node.url)
    root = run.copied(node)
    assert done.stdout == f"/ipfs/{root}/master.m3u8\n" and done.stderr == ""
    # Segments went alone, before the directory, which needed none of them again.
    imports = [query for call, query in node.calls if call == "dag/import" and "pin-roots" in query]
    assert len(imports) <= 2 * 3 + 3 + 6
    assert all(query["timeout"].endswith("s") for _, query in node.calls)


@pytest.mark.parametrize("profile", ["unixfs-v1-2025", "unixfs-v1", "unixfs-v0"])
def test_no_import(tmp_path, profile):
    """A node that cannot import CARs makes the same CIDs by /add and /block/put."""
    node = Node(can_import=False)
    run = Run(tmp_path, seconds=2)
    run("ladder", "--ipfs", node.url, "--profile", profile)
    run.copied(node)
    node.down()


def test_wrong_cid(tmp_path):
    """It makes something else of a file: that is told, and not kept there."""
    node = Node(can_import=False)
    wrong = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy"
    node.faults.append(lambda call, query: (200, [{"Name": "file", "Hash": wrong, "Size": "1"}])
                       if call == "add" else None)
    run = Run(tmp_path, seconds=2)
    done = run("ladder", "--ipfs", node.url, "--ipfs-wait", 1)
    assert f"the node makes {wrong} of " in done.stderr and "still queued" in done.stderr
    assert ("pin/rm", wrong) in [(call, query.get("arg")) for call, query in node.calls]
    assert not node.pins
    shown = run.show()
    assert shown["state"] == "finished" and shown["uploads"] > 0 and "has no dag/import" in shown["upload_error"]
    node.faults.clear()
    run("upload")
    run.copied(node)
    node.down()


FAULTS = [
    403,
    500,
    (503, b"<html>busy</html>"),
    "cut",
    (200, b"\0\1\2{"),
    (200, b" " * (2 << 20)),
    (200, [{"Root": {"Cid": {"/": "bafy"}, "PinErrorMsg": "no"}}]),
]


def test_faults(tmp_path, node):
    """Some answers are one of those; the run does not notice, the queue gets through."""
    left = list(FAULTS)

    def fault(call, query):
        return left.pop() if len(node.calls) % 3 == 1 and left else None

    node.faults.append(fault)
    run = Run(tmp_path, seconds=4)
    run("ladder", "--ipfs", node.url)
    assert not left
    run.copied(node)


def test_slow(tmp_path, node):
    """One that says nothing is given up after the time that is allowed, and tried again."""
    left = [2]

    def hangs(call, query):
        left[0] -= 1
        return "hang" if left[0] >= 0 else None

    node.faults.append(hangs)
    run = Run(tmp_path, seconds=2)
    start = time.monotonic()
    done = run("ladder", "--ipfs", node.url, "--ipfs-timeout", 1)
    assert 2 < time.monotonic() - start < 90
    assert f"{node.url}: uploads wait for it: " in done.stderr and done.stderr.count("\n") == 1
    run.copied(node)


def test_down_all_the_time(tmp_path, node):
    """Nothing is lost, the run ends as ever, and says in one line what is left."""
    node.down()
    run = Run(tmp_path)
    start = time.monotonic()
    done = run("ladder", "--ipfs", node.url, "--ipfs-wait", 0)
    assert time.monotonic() - start < 60
    waits, left = done.stderr.splitlines()
    assert waits.startswith(f"sluice: ipfs: {node.url}: uploads wait for it: ")
    assert "objects are still queued for " + node.url in left and '"sluice runs upload" sends them' in left
    run.store.run("verify")
    shown = run("show").stdout
    assert "uploads    " in shown and " still queued (" + node.url in shown
    failed = run("upload", "--ipfs-wait", 1, ok=False)
    assert failed.returncode == 1 and "are still queued: " in failed.stderr
    node.up()
    run("upload")
    root = run.copied(node)
    assert run.show()["root_cid"] == root
    assert run("upload").stderr == ""  # there is nothing any more


def test_comes_back(tmp_path, node):
    node.down()
    run = Run(tmp_path)
    with subprocess.Popen(run.command("ladder", "--ipfs", node.url), env=ENV,
                          stderr=subprocess.PIPE, text=True) as process:
        assert "uploads wait for it" in process.stderr.readline()
        time.sleep(1)
        node.up()
        _, rest = process.communicate(timeout=100)
    assert process.returncode == 0 and rest == ""
    run.copied(node)


def test_uploader_killed(tmp_path, node):
    """SIGKILL in the middle of an upload: what was taken comes back, what was done is not done again."""
    node.down()
    run = Run(tmp_path)
    run("ladder", "--ipfs", node.url, "--ipfs-wait", 0)
    node.up()
    killed = 0
    for n in range(4):
        node.faults[:] = [lambda call, query, at=len(node.calls) + 3 + n: "hang" if len(node.calls) > at else None]
        with subprocess.Popen(run.command("upload"), env=ENV) as process:
            end = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < end and len(node.calls) < 3:
                time.sleep(0.01)
            time.sleep(0.3)
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)
    assert killed
    node.faults.clear()
    with contextlib.closing(sqlite3.connect(run.store.path / "registry.sqlite")) as db:
        db.execute("UPDATE uploads SET next_time = 0")  # the lease of half a minute is over
        db.commit()
    run("upload", "--ipfs-wait", 100)
    run.copied(node)


def test_node_named_later(tmp_path, node):
    """What was published before there was a node, or for another one, is sent too."""
    other = Node()
    run = Run(tmp_path, seconds=6)
    process = subprocess.Popen(run.command("ladder", "--ipfs", other.url), env=ENV)
    end = time.monotonic() + 60
    while time.monotonic() < end and not other.pins:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run("ladder", "--ipfs", node.url)
    assert run.rows(f"SELECT count(*) FROM uploads WHERE node = '{node.url}'") == [(0,)]
    pins = {p.name.split("@")[0] for p in run.store.files("pins")}
    assert node.pins == pins and all(node.holds(cid) for cid in pins)
    other.down()


def test_shared_by_two_runs(tmp_path, node):
    """What one run lets go of stays pinned for the other, which has the same segments."""
    first, second = Run(tmp_path, name="one"), Run(tmp_path, name="two")
    first("ladder", "--ipfs", node.url)
    second("ladder", "--ipfs", node.url)
    second.copied(node)


def test_finish(tmp_path, node):
    """A run that nobody goes on with is ended, with the node of its own settings."""
    run = Run(tmp_path, seconds=20)
    process = subprocess.Popen(run.command("ladder", "--ipfs", node.url), env=ENV)
    end = time.monotonic() + 60
    while time.monotonic() < end and not node.pins:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with contextlib.closing(sqlite3.connect(run.store.path / "registry.sqlite")) as db:
        db.execute("UPDATE uploads SET next_time = 0")
        db.commit()
    if run.show()["state"] == "running":
        run("finish")
    else:  # on a busy machine only its uploads were left
        run("upload", "--ipfs-wait", 100)
    assert run.copied(node)


@pytest.mark.parametrize("url, message", [
    ("127.0.0.1:5001", "not the address of a node, as http://127.0.0.1:5001 is one"),
    ("/ip4/127.0.0.1/tcp/5001", "not the address of a node"),
])
def test_usage(tmp_path, url, message):
    run = Run(tmp_path, seconds=1)
    done = run("ladder", "--ipfs", url, ok=False)
    assert message in done.stderr


def test_needs_a_run(tmp_path):
    done = subprocess.run([SLUICE, "ladder", "--ipfs", "http://127.0.0.1:1", "-o", str(tmp_path / "out"), "film.mkv"],
                          capture_output=True, text=True, env=ENV, timeout=60)
    assert (done.returncode, done.stderr) == (2, "sluice: ipfs: goes with a run (--run)\n")


def test_password(tmp_path, node):
    """It is sent, and found nowhere."""
    run = Run(tmp_path, seconds=1)
    run("ladder", "--ipfs", node.url.replace("//", "//me:s3cret@"))
    run.copied(node)
    for path in run.store.path.glob("registry.sqlite*"):
        assert b"s3cret" not in path.read_bytes()
