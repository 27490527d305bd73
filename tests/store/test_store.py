# SPDX-License-Identifier: BSD-2-Clause
"""`sluice store` as a person meets it: output, exit status, messages, and what lies on the disk."""
import os
import resource
import subprocess

import pytest

from store_lib import ENV, MIB, RELEASE, SLUICE, Store, noise, tree

HELLO = "bafkreifjjcie6lypi6ny7amxnfftagclbuxndqonfipmb64f2km2devei4"  # "hello world\n"


def test_add_and_get(store, tmp_path):
    file = tmp_path / "hello"
    file.write_text("hello world\n")
    assert store.text("add", file) == f"added {HELLO} hello\n"
    assert store.text("add", "-q", file) == f"{HELLO}\n"
    assert store.text("add", "-", input=b"hello world\n") == f"added {HELLO} {HELLO}\n"
    assert store.json("add", file) == [
        {"cid": HELLO, "name": "hello", "kind": "file", "size": 12, "cumulative_size": 12}]
    # One object, whatever it was called; its file is its content.
    assert [p.name for p in store.files("objects")] == [HELLO]
    assert store.files("objects")[0].read_text() == "hello world\n"
    assert store.text("ls") == f"{HELLO} user\n"
    assert store.text("stat", HELLO) == f"{HELLO}\nkind: file\nsize: 12\ncumulative size: 12\n"
    assert store.content(HELLO) == b"hello world\n"
    store.run("get", HELLO, "-o", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "hello world\n"
    store.run("get", f"/ipfs/{HELLO}", cwd=tmp_path)
    assert (tmp_path / HELLO).read_text() == "hello world\n"


def test_directories(store, tmp_path):
    names = tree(tmp_path / "top")
    (tmp_path / "top" / ".hidden").write_text("x")
    lines = store.text("add", "-r", tmp_path / "top").splitlines()
    root = lines[-1].split()[1]
    assert lines[-1] == f"added {root} top"
    listed = {o["name"]: o for o in store.json("ls", root)}
    assert sorted(listed) == sorted({name.split("/")[0] for name in names} | {"empty"})
    assert list(listed) == sorted(listed, key=os.fsencode)
    assert listed["sub"]["kind"] == "directory" and listed["ab"]["size"] == MIB + 1
    assert f"{listed['sub']['cid']} " in store.text("ls", root) and " sub/\n" in store.text("ls", root)
    assert store.content(f"{root}/sub/deep/er/film.m4s") == names["sub/deep/er/film.m4s"]
    store.run("get", root, "-o", tmp_path / "back")
    got = {str(p.relative_to(tmp_path / "back")): p.read_bytes()
           for p in (tmp_path / "back").rglob("*") if p.is_file()}
    assert got == names and (tmp_path / "back" / "empty").is_dir()
    assert store.add("-r", "--hidden", tmp_path / "top") != root
    refused = store.run("get", root, "-o", tmp_path / "back", ok=False)
    assert refused.returncode == 1 and b"is there already" in refused.stderr


def test_keeping(store, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(noise(2 * MIB, 1))
    two.write_bytes(noise(100, 2))
    first, second = store.add(one), store.add("--pin-name", "run:7", two)
    third = store.add("--no-pin", "-", input=b"nobody's")
    assert store.text("ls") == "".join(sorted([f"{first} user\n", f"{second} run:7\n"]))
    dry = store.json("gc", "--dry-run")[0]
    assert dry["removed"] == 1 and dry["objects"] == 2
    assert store.json("gc")[0] == dry
    assert store.run("stat", third, ok=False).returncode == 1
    store.run("pin", second)
    store.run("unpin", second, "--pin-name", "run:7")
    assert store.json("gc")[0]["removed"] == 0
    refused = store.run("unpin", second, "--pin-name", "run:7", ok=False)
    assert refused.returncode == 1 and b'is not pinned as "run:7"' in refused.stderr
    store.run("unpin", first, second)
    assert store.json("gc")[0]["removed"] == 2
    assert not store.files("objects") and not store.files("blocks") and not store.files("pins")


def test_moving(store, tmp_path):
    names = tree(tmp_path / "top")
    root = store.add("-r", tmp_path / "top")
    car = store.run("export", root, "-o", "-").stdout
    store.run("export", root, "-o", tmp_path / "x.car")
    assert (tmp_path / "x.car").read_bytes() == car
    other = Store(tmp_path / "other")
    assert other.text("import", "-", input=car) == f"imported {root}\n"
    assert other.content(f"{root}/ab") == names["ab"]
    assert other.text("ls") == f"{root} user\n"
    # Another byte anywhere, or the end missing: nothing of it appears.
    for bad in (car[:-1], car[:len(car) // 2], car[:5000] + b"?" + car[5001:]):
        third = Store(tmp_path / "third")
        refused = third.run("import", "-", input=bad, ok=False)
        assert refused.returncode == 1 and b"standard input: offset " in refused.stderr
        assert not third.files("objects") and not third.files("pins") and not third.files("temp")


def test_damage(store, tmp_path):
    file = tmp_path / "film"
    file.write_bytes(noise(3 * MIB, 1))
    root = store.add(file)
    path = next(p for p in store.files("objects") if p.name == root)
    data = bytearray(path.read_bytes())
    data[MIB + 5] ^= 1
    path.write_bytes(data)
    refused = store.run("get", root, "-o", tmp_path / "out", ok=False)
    assert refused.returncode == 1 and b"is damaged" in refused.stderr and not (tmp_path / "out").exists()
    refused = store.run("export", root, "-o", tmp_path / "out", ok=False)
    assert refused.returncode == 1 and not (tmp_path / "out").exists()
    found = store.run("verify", ok=False)
    assert found.returncode == 1 and found.stdout.decode().startswith(f"damaged {root}: ")
    assert store.run("get", root, "-o", "-", ok=False).returncode == 1
    assert store.add(file) == root
    store.check()
    assert store.content(root) == file.read_bytes()


@pytest.mark.parametrize("args, status, words", [
    (["nonsense"], 2, "is not a command"),
    (["add"], 2, "FILE… is expected"),
    (["add", "--profile", "v2", "x"], 2, "profile"),
    (["add", "-x", "x"], 2, "-x is not an option"),
    (["add", "none"], 1, "none: open: No such file"),
    (["add", "--pin-name", "a/b", "-"], 2, "is not a name"),
    (["add", "."], 1, "is a directory"),
    (["get", "film.mkv"], 2, '"film.mkv" is not a CID'),
    (["get", HELLO, HELLO], 2, "is expected"),
    (["get", HELLO], 1, "is not in the store"),
    (["stat", "f0155000161"], 1, "is not of SHA-256"),
    (["export", HELLO], 2, "-o FILE is missing"),
    (["import", "none"], 1, "none: open: No such file"),
    (["pin", HELLO], 1, "is not in the store"),
    (["verify", HELLO], 1, "is not in the store"),
])
def test_refused(store, tmp_path, args, status, words):
    store.add("-", input=b"x")
    done = store.run(*args, ok=False, cwd=tmp_path, input=b"")
    text = done.stderr.decode()
    assert (done.returncode, text.count("\n")) == (status, 1) and words in text, text
    assert text.startswith("sluice: ")
    store.check()


def test_where(tmp_path):
    """--store, else $SLUICE_STORE, else $XDG_DATA_HOME, else the home; made only where nothing is."""
    def add(*args, **env):
        return subprocess.run([SLUICE, "store", "add", *args, "-"], input=b"x", capture_output=True,
                              env={**ENV, **env}, timeout=60)
    assert add("--store", str(tmp_path / "a"), SLUICE_STORE=str(tmp_path / "b")).returncode == 0
    assert add(SLUICE_STORE=str(tmp_path / "b"), XDG_DATA_HOME=str(tmp_path / "c")).returncode == 0
    assert add(XDG_DATA_HOME=str(tmp_path / "c"), HOME=str(tmp_path / "d")).returncode == 0
    assert add(HOME=str(tmp_path / "d")).returncode == 0
    for path in ("a", "b", "c/sluice/store", "d/.local/share/sluice/store"):
        assert (tmp_path / path / "sluice-store").exists()
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "letter").write_text("x")
    refused = add("--store", str(tmp_path / "e"))
    assert refused.returncode == 1 and b"holds something else" in refused.stderr
    assert os.listdir(tmp_path / "e") == ["letter"]
    missing = subprocess.run([SLUICE, "store", "ls", "--store", str(tmp_path / "f")], capture_output=True,
                             env=ENV, timeout=60)
    assert missing.returncode == 1 and b"there is no store" in missing.stderr
    assert not (tmp_path / "f").exists()


def test_memory(memory_path):
    """A file of any size takes the same few megabytes, in and out."""
    def bound():
        resource.setrlimit(resource.RLIMIT_DATA, (12 * MIB, 12 * MIB))
    store, other = Store(memory_path / "store", RELEASE), Store(memory_path / "other", RELEASE)
    file, car, out = memory_path / "film", memory_path / "film.car", memory_path / "out"
    with open(file, "wb") as f:
        for n in range(8):
            f.write(noise(8 * MIB, n))
    root = store.add("--sync=no", "--profile", "unixfs-v1", file, preexec_fn=bound)
    store.run("get", root, "-o", out, preexec_fn=bound)
    store.run("export", root, "-o", car, preexec_fn=bound)
    store.run("verify", preexec_fn=bound)
    assert other.text("import", "-q", car, preexec_fn=bound).strip() == root
    assert out.read_bytes() == file.read_bytes()
    other.run("verify")
