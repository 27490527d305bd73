# SPDX-License-Identifier: BSD-2-Clause
"""What a real IPFS node makes of the same bytes, and has of a run after it and whoever sends to it were killed."""
import http.server
import json
import random
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest

from kubo import v1
from store_lib import ENV, MIB, SLUICE, Store, noise

KILLS = 10
SECONDS = 40
SIZES = [0, 1, 262143, 262144, 262145, MIB - 1, MIB, MIB + 1, 174 * 262144 - 1, 174 * 262144, 174 * 262144 + 1,
         50 * MIB]
# Spelt out here, not taken from our code: docs/store.md has the profiles.
PROFILES = {"unixfs-v1-2025": dict(cid_version=1, raw_leaves="true", chunker="size-1048576"),
            "unixfs-v1": dict(cid_version=1, raw_leaves="true", chunker="size-262144"),
            "unixfs-v0": dict(cid_version=0, raw_leaves="false", chunker="size-262144")}
LADDER = ["--raw", "rgb24", "--size", "64x36", "--rate", "30", "--segment", "1",
          "--rung", "name=a,height=36,bitrate=100,preset=ultrafast"]


def runs(store, verb, name, *more):
    return subprocess.run([SLUICE, "runs", verb, name, "--store", str(store.path), *map(str, more)],
                          capture_output=True, text=True, env=ENV, timeout=600)


def queued(store, name):
    return json.loads(runs(store, "show", name, "--json").stdout)["uploads"]


def copied(store, node, name):
    """Each pin of the store is one of the node's, and all below it is there: the node exports it, and it is
    imported whole. Returns the run's root."""
    shown = json.loads(runs(store, "show", name, "--json").stdout)
    assert shown["state"] == "finished" and shown["uploads"] == 0
    pins = {p.name.split("@")[0] for p in store.files("pins")}
    assert {v1(cid) for cid in pins} <= node.pins()
    other = Store(store.path.parent / f"{name}-copy")
    for cid in pins:
        other.run("import", "-", input=node.call("dag/export", arg=cid))
    other.run("verify")
    assert {p.name.split("@")[0] for p in other.files("pins")} == pins
    return shown["root_cid"]


def plays(node, root, frames):
    """ffprobe reads the directory from the node's own gateway, to its end."""
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v:0", "-of", "json",
                           "-show_entries", "stream=nb_read_frames", f"{node.gateway}/ipfs/{root}/master.m3u8"],
                          capture_output=True, text=True, timeout=300)
    assert done.stderr == ""
    assert json.loads(done.stdout)["streams"][0]["nb_read_frames"] == str(frames)


@pytest.mark.parametrize("profile", PROFILES)
def test_cids(tmp_path, node, profile):
    store = Store(tmp_path / "store")
    whole = noise(max(SIZES), 7)
    for size in SIZES:
        (tmp_path / "file").write_bytes(whole[:size])
        ours = store.add(tmp_path / "file", "--profile", profile)
        theirs = node.call("add", whole[:size], only_hash="true", pin="false", **PROFILES[profile])[-1]["Hash"]
        assert theirs.startswith("Qm") == (profile == "unixfs-v0") and v1(theirs) == v1(ours), size


def test_run(tmp_path, node):
    """The node is killed ten times while a run is sent to it, and so is whoever sends it."""
    store, name, dice = Store(tmp_path / "store"), "film", random.Random(3)
    (tmp_path / "raw").write_bytes(noise(64 * 36 * 3 * 30 * SECONDS, 1))
    sender = subprocess.Popen([SLUICE, "ladder", *LADDER, "--run", name, "--store", str(store.path), "--ipfs",
                               node.url, "--ipfs-wait", "1", str(tmp_path / "raw")], env=ENV)
    left = None
    for kill in range(KILLS):
        before, end = left, time.monotonic() + 20
        while time.monotonic() < end and left == before and sender.poll() is None:
            time.sleep(0.02)
            left = queued(store, name) if (store.path / "registry.sqlite").exists() else None
        time.sleep(dice.random() * 0.1)
        if kill % 2 and sender.poll() is None and kill > 1:
            sender.send_signal(signal.SIGKILL)
        node.kill()
        if sender.poll() is not None:
            sender = subprocess.Popen([SLUICE, "runs", "upload", name, "--store", str(store.path)], env=ENV,
                                      stderr=subprocess.DEVNULL)
        node.start()
    sender.send_signal(signal.SIGKILL)
    sender.wait()
    if json.loads(runs(store, "show", name, "--json").stdout)["state"] != "finished":
        runs(store, "resume", name)
    done = runs(store, "upload", name, "--ipfs-wait", 240)
    assert done.returncode == 0, done.stderr
    root = copied(store, node, name)
    plays(node, root, SECONDS * 30)


@pytest.fixture
def old_node(node):
    """The same node without dag/import, as old ones are."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            if "/dag/import" in self.path:
                self.send_error(404)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Transfer-Encoding") == "chunked":
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
            request = urllib.request.Request(node.url + self.path, method="POST", data=body,
                                             headers={"Content-Type": self.headers.get("Content-Type", "")})
            try:
                answer = urllib.request.urlopen(request, timeout=100)
            except urllib.error.HTTPError as error:
                answer = error
            self.send_response(answer.status)
            self.end_headers()
            self.wfile.write(answer.read())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.mark.parametrize("profile", PROFILES)
def test_without_import(tmp_path, node, old_node, profile):
    """/add with every parameter, /block/put and pin/add come to the same as a CAR."""
    store, name = Store(tmp_path / "store"), f"old-{profile}"
    (tmp_path / "raw").write_bytes(noise(64 * 36 * 3 * 30 * 3, 4))
    done = subprocess.run([SLUICE, "ladder", *LADDER, "--run", name, "--store", str(store.path), "--ipfs", old_node,
                           "--profile", profile, "--ipfs-wait", "120", str(tmp_path / "raw")], env=ENV,
                          capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    plays(node, copied(store, node, name), 90)
