# SPDX-License-Identifier: BSD-2-Clause
"""NVENC and VideoToolbox from Python: pictures in a device's memory, and the two drop-in classes. They run
on stand-ins of the vendors' libraries, where tests/run finds them (LD_LIBRARY_PATH, which has to be there
when the interpreter starts); the hardware has not been seen."""
import ctypes
import gc
import weakref

import numpy
import pytest

import sluice
import sluice.nvenc
import sluice.videotoolbox
from conftest import run
from test_encoder import IDR, PPS, SEI, SLICE, SPS, Interface, decoded, nv12, padded, psnr, rgb, said, units

WIDTH, HEIGHT = 320, 180


def picture(i=0):
    return nv12(i, WIDTH, HEIGHT)


@pytest.fixture
def nvenc():
    if not sluice.nvenc.supported():
        pytest.skip("no NVENC, and no stand-in of it")
    return sluice.NvencEncoder


@pytest.fixture
def videotoolbox():
    if not sluice.videotoolbox.supported():
        pytest.skip("no VideoToolbox, and no stand-in of it")
    return sluice.VtEncoder


@pytest.fixture(params=["nvenc", "videotoolbox"])
def either(request):
    return request.getfixturevalue(request.param)


class Copy2D(ctypes.Structure):
    """CUDA_MEMCPY2D of cuda.h."""
    _fields_ = [(side + name, kind) for side in ("src", "dst") for name, kind in (
        ("XInBytes", ctypes.c_size_t), ("Y", ctypes.c_size_t), ("MemoryType", ctypes.c_int), ("Host", ctypes.c_void_p),
        ("Device", ctypes.c_uint64), ("Array", ctypes.c_void_p), ("Pitch", ctypes.c_size_t))] + [
            ("WidthInBytes", ctypes.c_size_t), ("Height", ctypes.c_size_t)]


class Device:
    """As much of the CUDA driver as makes pictures, by its C API."""

    def __init__(self):
        self.cuda = ctypes.CDLL("libcuda.so.1")
        self.device, self.context = ctypes.c_int(), ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDeviceGet", ctypes.byref(self.device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(self.context), self.device)

    def call(self, name, *arguments):
        status = getattr(self.cuda, name)(*arguments)
        assert status == 0, (name, status)

    def current(self, name, *arguments):
        self.call("cuCtxPushCurrent_v2", self.context)
        self.call(name, *arguments)
        self.call("cuCtxPopCurrent_v2", ctypes.byref(ctypes.c_void_p()))

    def stream(self):
        made = ctypes.c_void_p()
        self.current("cuStreamCreate", ctypes.byref(made), 1)  # it does not wait for the default one
        return made

    def close(self):
        self.call("cuDevicePrimaryCtxRelease_v2" if hasattr(self.cuda, "cuDevicePrimaryCtxRelease_v2") else
                  "cuDevicePrimaryCtxRelease", self.device)


class OnDevice:
    """A copy of an array in a device's memory, its rows `gap` bytes apart. With a stream the copy is under
    way in it."""

    def __init__(self, device, array, gap=0, stream=None, **changes):
        self.device, self.pointer = device, ctypes.c_uint64()
        self.rows = numpy.ascontiguousarray(array).reshape(len(array), -1)
        length = self.rows[0].nbytes
        pitch = length + gap
        device.current("cuMemAlloc_v2", ctypes.byref(self.pointer), ctypes.c_size_t(pitch * len(array)))
        copy = Copy2D(srcMemoryType=1, srcHost=self.rows.ctypes.data, srcPitch=length, dstMemoryType=2,
                      dstDevice=self.pointer, dstPitch=pitch, WidthInBytes=length, Height=len(array))
        if stream is None:
            device.current("cuMemcpy2D_v2", ctypes.byref(copy))
        else:
            device.current("cuMemcpy2DAsync_v2", ctypes.byref(copy), stream)
            changes["stream"] = stream.value
        self.__cuda_array_interface__ = {
            "shape": array.shape, "typestr": array.dtype.str, "data": (self.pointer.value, False),
            "strides": (pitch, *array.strides[1:]) if gap else None, "version": 3, **changes}

    def __del__(self):
        self.device.current("cuMemFree_v2", self.pointer)


class Changed:
    """The same memory, told otherwise."""

    def __init__(self, frame, changes):
        self.frame = frame
        self.__cuda_array_interface__ = {**frame.__cuda_array_interface__, **changes}


@pytest.fixture
def device(nvenc):
    found = Device()
    yield found
    gc.collect()
    found.close()


# ---- both ---------------------------------------------------------------------------------------

def test_one_in_one_out(either, tmp_path):
    with either(WIDTH, HEIGHT, fps=30, gop=300, bitrate=6_000_000) as encoder:
        assert (encoder.width, encoder.height, encoder.codec_string) == (WIDTH, HEIGHT, "")
        assert encoder.last_copy_ms == 0 and encoder.last_encode_ms == 0
        stream = []
        for i in range(20):
            data = encoder.encode(picture(i), force_idr=i in (0, 12))
            assert type(data) is bytes
            assert [k for k in units(data) if k != SEI] == ([SPS, PPS, IDR] if i in (0, 12) else [SLICE])
            if i in (0, 12):
                assert said(data) == encoder.codec_string
            stream.append(data)
        assert encoder.last_encode_ms > 0 and encoder.last_copy_ms >= 0
        data = b"".join(stream) + encoder.flush()
    pictures = decoded(data, tmp_path, WIDTH, HEIGHT, "nv12")
    assert len(pictures) == 20 and min(psnr(p, picture(i)) for i, p in enumerate(pictures)) > 30


@pytest.mark.parametrize("size", [(640, 480), (1280, 720)])
def test_colour_is_bt601_at_every_size(either, size, tmp_path):
    with either(*size, bitrate=6_000_000) as encoder:
        (tmp_path / "out.264").write_bytes(encoder.encode(nv12(0, *size)))
    told = run("ffprobe", "-v", "error", "-show_entries", "stream=color_space,color_range", "-of", "csv=p=0",
               tmp_path / "out.264").stdout.decode()
    assert told.strip() == "tv,smpte170m"


def test_gaps_in_seq(either):
    numbers = [0, 1, 2, 5, 6, 9, 10, 11, 14, 15, 18, 21, 22]
    with either(WIDTH, HEIGHT, bitrate=6_000_000) as encoder:
        came = [unit for seq in numbers for unit in encoder.submit(picture(seq), seq=seq, force_idr=seq == 0)]
        came += encoder.flush_pipeline()
    assert [seq for seq, _, _ in came] == numbers
    assert [key for _, _, key in came] == [True] + [False] * (len(numbers) - 1)
    assert all(type(s) is int and type(d) is bytes and type(k) is bool for s, d, k in came)


def test_nvenc_tells_its_version(nvenc):
    major, minor = map(int, sluice.nvenc.abi.split("."))
    assert (major, minor) >= (11, 1)


def test_nvenc_pipelined(nvenc, tmp_path):
    with nvenc(WIDTH, HEIGHT, gop=30, bitrate=6_000_000, extra_output_delay=4) as encoder:
        came, depth = [], 0
        for seq in range(24):
            came += encoder.submit(picture(seq), seq)
            depth = max(depth, seq + 1 - len(came))
        came += encoder.flush_pipeline()
        assert depth == 4 and [seq for seq, _, _ in came] == list(range(24))
        first = [encoder.encode(picture(i)) for i in range(6)]
        assert first[:4] == [b""] * 4 and first[4] and len(encoder.flush()) > 0
    assert len(decoded(b"".join(d for _, d, _ in came), tmp_path, WIDTH, HEIGHT)) == 24


def test_nvenc_takes_arrays_alone(nvenc):
    frame = picture()
    with nvenc(WIDTH, HEIGHT) as encoder:
        for wrong in (frame.tobytes(), bytearray(frame), None, 3):
            with pytest.raises(RuntimeError, match="__cuda_array_interface__"):
                encoder.encode(wrong)
        for wrong in (frame[:-1], frame[:, ::2], frame.astype("u2"), numpy.zeros((HEIGHT, WIDTH, 3), "u1")):
            with pytest.raises(ValueError):
                encoder.encode(wrong)
        first = encoder.encode(Interface("__array_interface__", padded(frame)))
        assert IDR in units(first)


def test_videotoolbox_takes_nothing_else(videotoolbox):
    frame = picture()
    with videotoolbox(WIDTH, HEIGHT) as encoder:
        for wrong in (frame[:-1], frame[:, ::2], padded(frame), numpy.asfortranarray(frame), frame.astype("u2"),
                      frame.astype("i1"), frame.tobytes(), None, numpy.zeros((HEIGHT, WIDTH, 3), "u1"),
                      Interface("__array_interface__", frame)):
            with pytest.raises(ValueError, match=r"\(270, 320\)"):
                encoder.encode(wrong)
        assert encoder.codec_string == ""
        assert IDR in units(encoder.encode(memoryview(frame))) and encoder.codec_string.startswith("avc1.42")


def test_after_the_end(either):
    encoder = either(WIDTH, HEIGHT)
    encoder.encode(picture())
    encoder.close()
    encoder.close()
    for use in (lambda: encoder.encode(picture()), lambda: encoder.submit(picture(), 1)):
        with pytest.raises(RuntimeError, match="closed"):
            use()
    assert encoder.flush() == b"" and encoder.flush_pipeline() == [] and encoder.width == WIDTH


def test_hevc(either):
    with either(WIDTH, HEIGHT, codec="hevc", bitrate=6_000_000) as encoder:
        data = encoder.encode(picture())
        assert encoder.codec_string.startswith("hvc1.1.")
    assert [part[0] >> 1 & 63 for part in data.split(b"\0\0\1")[1:]][:3] == [32, 33, 34]


# ---- pictures in a device's memory --------------------------------------------------------------

def test_device_memory(device, tmp_path):
    """The same bits as from the host, however the rows lie and whatever stream made them."""
    def code(frame, **keywords):
        with sluice.Encoder(WIDTH, HEIGHT, backend="nvenc", rate_control="cqp", qp=20, **keywords) as encoder:
            data = encoder.encode(frame)
            assert encoder.last.convert_ns < encoder.last.encode_ns
            return data
    a = picture()
    want = code(a)
    for frame in (OnDevice(device, a), OnDevice(device, a, 192),
                  (OnDevice(device, a[:HEIGHT], 64), OnDevice(device, a[HEIGHT:], 64))):
        assert code(frame) == want
    made = device.stream()
    assert code(OnDevice(device, a, stream=made)) == want, "what is under way in its stream is waited for"
    device.current("cuStreamDestroy_v2", made)
    for told in (None, 1):  # the legacy default stream
        frame = OnDevice(device, a, stream=ctypes.c_void_p(0))
        frame.__cuda_array_interface__["stream"] = told
        assert code(frame) == want
    assert psnr(decoded(want, tmp_path, WIDTH, HEIGHT, "nv12")[0], a) > 30
    assert code(OnDevice(device, a), cuda_context=device.context.value) == want
    packed = numpy.dstack([rgb(0, WIDTH, HEIGHT), rgb(0, WIDTH, HEIGHT)[:, :, 0]])
    with sluice.Encoder(WIDTH, HEIGHT, backend="nvenc", format="rgba") as encoder:
        try:
            assert IDR in units(encoder.encode(OnDevice(device, packed)))
        except sluice.Error as error:
            assert error.status == sluice.Status.EUNSUPPORTED  # it converts RGB itself, or says so


def test_device_memory_lives_as_long_as_it_is_read(device):
    with sluice.Encoder(WIDTH, HEIGHT, backend="nvenc", latency="pipelined", depth=4) as encoder:
        alive = []
        for seq in range(12):
            frame = OnDevice(device, picture(seq))
            alive.append(weakref.ref(frame))
            encoder.submit(frame, seq)
            del frame
            gc.collect()
            assert sum(ref() is not None for ref in alive) <= 5
        encoder.flush_pipeline()
        assert not any(ref() for ref in alive)
        frame = OnDevice(device, picture())
        alive = weakref.ref(frame)
        encoder.submit(frame, 99)
        del frame
    assert alive() is None, "lost with close()"
    with sluice.Encoder(WIDTH, HEIGHT, backend="nvenc") as encoder:
        frame = OnDevice(device, picture())
        alive = weakref.ref(frame)
        encoder.encode(frame)
        del frame
        assert alive() is None


def test_nvenc_takes_device_memory(device, nvenc):
    with nvenc(WIDTH, HEIGHT, cuda_context=device.context.value) as encoder:
        assert IDR in units(encoder.encode(OnDevice(device, picture())))
        wrong = OnDevice(device, picture())
        for changes in ({"shape": (HEIGHT, WIDTH)}, {"stream": 0}, {"typestr": "<f4"}, {"strides": (WIDTH * 2, 2)}):
            with pytest.raises(ValueError):
                encoder.encode(Changed(wrong, changes))
        assert SLICE in units(encoder.encode(OnDevice(device, picture(), 32)))


class StandIn:
    """What tests ask of the stand-in: tests/standin/nvenc/standin.h, struct standin_control."""

    def __init__(self, device):
        get = getattr(device.cuda, "standin_control", None)
        if get is None:
            pytest.skip("no stand-in to ask")
        get.restype = ctypes.POINTER(ctypes.c_void_p * 7)
        table = get().contents
        self.reset = ctypes.CFUNCTYPE(None)(table[0])
        self.inject = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_uint, ctypes.c_int)(table[1])
        self.ranges = ctypes.CFUNCTYPE(ctypes.c_char_p)(table[6])
        self.reset()


@pytest.fixture
def standin(device):
    asked = StandIn(device)
    yield asked
    asked.reset()


def test_ranges_for_profilers(device, standin, nvenc):
    """Existing profiles look for these names."""
    if not sluice.nvenc.nvtx_enabled:
        pytest.skip("no libnvToolsExt.so.1, and no stand-in of it")
    with nvenc(WIDTH, HEIGHT) as encoder:
        encoder.encode(OnDevice(device, picture()))
    told = standin.ranges().decode()
    for name in ("pdum.encode", "pdum.read_cai", "pdum.copy_to_nvenc", "pdum.submit", "pdum.collect_output"):
        assert name + ">" in told
    assert told.count(">") == told.count("<")


def test_what_fails_at_the_device(standin, nvenc):
    generic = 20  # NV_ENC_ERR_GENERIC
    standin.inject(b"nvEncOpenEncodeSessionEx", 1, generic)
    with pytest.raises(RuntimeError):
        nvenc(WIDTH, HEIGHT)
    standin.reset()
    encoder = nvenc(WIDTH, HEIGHT)
    encoder.encode(picture())
    standin.reset()
    standin.inject(b"nvEncEncodePicture", 1, generic)
    with pytest.raises(RuntimeError) as caught:
        encoder.encode(picture(1))
    assert isinstance(caught.value.__cause__, sluice.Error)
    with pytest.raises(RuntimeError):
        encoder.encode(picture(2))
    encoder.close()
    assert encoder.flush() == b""
