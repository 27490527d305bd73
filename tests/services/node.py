# SPDX-License-Identifier: BSD-2-Clause
"""A real IPFS node of the test's own: JavaScript's, as npm has it, that speaks to nobody."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
import uuid

from kubo import v1

HERE = pathlib.Path(__file__).resolve().parent
COMMAND = ["node", "--require", str(HERE / "withresolvers.cjs"), str(HERE / "node_modules/ipfs/src/cli.js")]
PATIENCE = 120  # seconds, for a machine that is busy


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Node:
    def __init__(self, folder):
        self.repo, self.log = folder / "repo", folder / "log"
        self.env = {**os.environ, "IPFS_PATH": str(self.repo), "CI": "1"}
        self.process = None
        subprocess.run([*COMMAND, "init", "--profile", "test", "--empty-repo"], env=self.env, check=True,
                       capture_output=True, timeout=PATIENCE)
        api, gateway, rpc = free_ports(3)
        config = json.loads((self.repo / "config").read_text())
        config["Addresses"].update(Swarm=[], Delegates=[], API=f"/ip4/127.0.0.1/tcp/{api}",
                                   Gateway=f"/ip4/127.0.0.1/tcp/{gateway}", RPC=f"/ip4/127.0.0.1/tcp/{rpc}")
        config["Bootstrap"] = []
        (self.repo / "config").write_text(json.dumps(config))
        self.url, self.gateway = f"http://127.0.0.1:{api}", f"http://127.0.0.1:{gateway}"

    def start(self):
        lock = self.repo / "repo.lock"  # of one that was killed
        if lock.is_dir():
            shutil.rmtree(lock)
        else:
            lock.unlink(missing_ok=True)
        (self.repo / "api").unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([*COMMAND, "daemon", "--offline"], env=self.env, stdout=log,
                                            stderr=subprocess.STDOUT, start_new_session=True)
        end = time.monotonic() + PATIENCE
        while b"Daemon is ready" not in self.log.read_bytes():
            assert self.process.poll() is None and time.monotonic() < end, self.log.read_text()
            time.sleep(0.05)

    def kill(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def call(self, call, body=None, **query):
        """The answer's JSON values."""
        query = {name.replace("_", "-"): value for name, value in query.items()}
        text = urllib.parse.urlencode({**query, "timeout": "60s"})
        request = urllib.request.Request(f"{self.url}/api/v0/{call}?{text}", method="POST")
        if body is not None:
            boundary = uuid.uuid4().hex
            request.data = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="file"\r\n'
                            "Content-Type: application/octet-stream\r\n\r\n").encode() + body \
                + f"\r\n--{boundary}--\r\n".encode()
            request.add_header("Content-Type", f"multipart/form-data; boundary={boundary}")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            data = answer.read()
        return data if call == "dag/export" else [json.loads(line) for line in data.splitlines() if line.strip()]

    def pins(self):
        """As CIDv1 in base32."""
        return {v1(cid) for answer in self.call("pin/ls", type="recursive") for cid in answer["Keys"]}
