# SPDX-License-Identifier: BSD-2-Clause
# The thin front of the Meson build; docs/building.md says what stands behind each target.
# On Debian as root each target installs what it needs; elsewhere it names it.
.POSIX:
.SUFFIXES:

MESON  = meson
NINJA  = ninja
PREFIX = /usr/local
SRC    =
OUT    = out/demo
PORT   =
ONCE   =
SUITES =

all: build

help:
	@echo 'make build    the command at build/sluice'
	@echo 'make demo     a ladder from SRC= (or a generated clip), served; ONCE=1 checks and stops'
	@echo 'make check    all tests; SUITES="unit http" only those (tests/run --list names them)'
	@echo 'make check-services   the tests against a real IPFS node, which npm installs in a minute'
	@echo 'make soak     the long proofs'
	@echo 'make lint     clang-tidy on every file (make check: on those of the newest commits)'
	@echo 'make bench    the measurements'
	@echo 'make fuzz     libFuzzer on every target, FUZZ_SECONDS=60 each'
	@echo 'make format   clang-format on every C file'
	@echo 'make wheel    the Python package as a wheel, in build/python/wheel'
	@echo 'make install  PREFIX=/usr/local DESTDIR='
	@echo 'make clean    everything that was built'

deps-build:
	@tools/install-deps build

deps-demo:
	@tools/install-deps build demo

deps-check:
	@tools/install-deps build demo test

deps-bench:
	@tools/install-deps build demo bench

web: deps-build
	@tools/npm-ci web

compile:
	@test -f build/build.ninja || $(MESON) setup build --buildtype=release -Dtests=false \
	    --prefix=$(PREFIX)
	@$(NINJA) -C build

build: web
	@$(MAKE) compile

demo: deps-demo build
	@SRC='$(SRC)' OUT='$(OUT)' PORT='$(PORT)' ONCE='$(ONCE)' tools/demo

check: deps-check web
	@tools/npm-ci tests/web tests/store
	@/usr/bin/python3 tests/run $(SUITES)

check-services: deps-check web
	@tools/npm-ci tests/services
	@/usr/bin/python3 tests/run services

lint: deps-check web
	@/usr/bin/python3 tests/run lint

soak: deps-check web
	@tools/npm-ci tests/web tests/store tests/services
	@/usr/bin/python3 tests/run --soak

bench: deps-bench build
	@tools/npm-ci tests/web
	@status=0; for each in start ladder remux layers frames convert latency serve gateway store; do bench/$$each || status=1; done; exit $$status

fuzz: deps-check
	@tools/fuzz

format:
	@tools/check_format -i

wheel: build
	@$(NINJA) -C build wheel
	@ls build/python/wheel/*.whl

install: build
	@DESTDIR='$(DESTDIR)' $(MESON) install -C build

clean:
	rm -rf build build-* out

.PHONY: all help deps-build deps-demo deps-check deps-bench web compile build demo check check-services soak lint bench \
    fuzz format wheel install clean
