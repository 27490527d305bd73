# SPDX-License-Identifier: BSD-2-Clause
"""CIDs, directories and CARs against ipfs-unixfs-importer, ipfs-unixfs-exporter and @ipld/car."""
import hashlib
import subprocess

import pytest

from store_lib import ENV, MIB, PROFILES, RELEASE, Store, noise, oracle, tree

GROUP = 174 * 262144
SIZES = [0, 1, 262143, 262144, 262145, MIB - 1, MIB, MIB + 1, GROUP - 1, GROUP, GROUP + 1, 50 * MIB]
SEED = hashlib.sha256(b"v1-2025-seed").hexdigest()
KEYSTREAM = {1024: "bafybeihmf37wcuvtx4hpu7he5zl5qaf2ineo2lqlfrapokkm5zzw7zyhvm",
             1025: "bafybeihmzokxxjqwxjcryerhp5ezpcog2wcawfryb2xm64xiakgm4a5jue"}


def test_sizes(memory_path):
    store = Store(memory_path / "store")
    files = []
    for size in SIZES:
        path = memory_path / str(size)
        path.write_bytes(noise(size, size))
        files.append(str(path))
    expected = oracle("cids", *files)
    for profile in PROFILES:
        ours = store.text("add", "-q", "--sync=no", "--profile", profile, *files).split()
        assert ours == [expected[file][profile] for file in files]
        store.run("verify")


@pytest.mark.parametrize("profile", PROFILES)
def test_tree(store, tmp_path, profile):
    top = tmp_path / "top"
    names = tree(top)
    added = {o["name"]: o["cid"] for o in store.json("add", "-r", "--profile", profile, top)}
    # The importer does not tell of empty directories; the root's CID says whether they are right.
    del added["top/empty"]
    assert added == oracle("tree", top, profile, tmp_path / "theirs.car")
    root = added["top"]
    # Our CAR is read by their code, theirs by ours.
    store.run("export", root, "-o", tmp_path / "ours.car")
    car = oracle("read", tmp_path / "ours.car")
    assert car["roots"] == [root]
    assert car["files"] == {name: hashlib.sha256(data).hexdigest() for name, data in names.items()}
    other = Store(tmp_path / "other")
    assert other.text("import", "-q", tmp_path / "theirs.car").split() == [root]
    for name, data in names.items():
        assert other.content(f"{root}/{name}") == data
    other.check()
    other.run("export", root, "-o", tmp_path / "again.car")
    assert (tmp_path / "again.car").read_bytes() == (tmp_path / "ours.car").read_bytes()


@pytest.mark.soak
@pytest.mark.parametrize("mib", sorted(KEYSTREAM))
def test_keystream(memory_path, mib):
    """ChaCha20, zero nonce: the known answers of IPIP-499's test vectors."""
    store = Store(memory_path / "store", RELEASE)
    zeros = subprocess.Popen(["head", "-c", str(mib * MIB), "/dev/zero"], stdout=subprocess.PIPE)
    cipher = subprocess.Popen(["openssl", "enc", "-chacha20", "-K", SEED, "-iv", "0" * 32],
                              stdin=zeros.stdout, stdout=subprocess.PIPE)
    done = subprocess.run(store.args("add", "-q", "--sync=no", "-"), stdin=cipher.stdout, capture_output=True,
                          env=ENV, check=True)
    assert cipher.wait() == 0 and zeros.wait() == 0
    assert done.stdout.decode().strip() == KEYSTREAM[mib]
