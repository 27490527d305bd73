# SPDX-License-Identifier: BSD-2-Clause
"""NvencEncoder and VtEncoder: what they take the place of, in arguments, errors and results. Without a
device their own checks alone can be seen; with a stand-in of its libraries (tests/run) all of it, but no
hardware has been."""
import inspect

import numpy
import pytest

import sluice
import sluice.nvenc
import sluice.videotoolbox
from conftest import run
from test_encoder import IDR, PPS, SEI, SLICE, SPS, Interface, decoded, nv12, padded, psnr, said, units

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


# ---- without a device ---------------------------------------------------------------------------

def test_signatures():
    def of(kind):
        return {p.name: p.default for p in inspect.signature(kind).parameters.values()}
    required = dict.fromkeys(("width", "height"), inspect.Parameter.empty)
    assert of(sluice.NvencEncoder) == {
        **required, "codec": "h264", "preset": "p3", "tuning": "ll", "fps": 30, "gop": 30, "bitrate": 0, "gpu_id": 0,
        "cuda_context": 0, "extra_output_delay": 0, "profile": "auto"}
    assert of(sluice.VtEncoder) == {**required, "codec": "h264", "fps": 30, "gop": 30, "bitrate": 12_000_000,
                                    "realtime": True, "low_latency": True}
    for kind in (sluice.NvencEncoder, sluice.VtEncoder):
        for name, text in {"encode": "(self, frame, force_idr=False)", "submit": "(self, frame, seq, force_idr=False)",
                           "flush": "(self)", "flush_pipeline": "(self)", "close": "(self)"}.items():
            assert str(inspect.signature(getattr(kind, name)).replace(
                return_annotation=inspect.Signature.empty, parameters=[
                    p.replace(annotation=p.empty) for p in
                    inspect.signature(getattr(kind, name)).parameters.values()])) == text


def test_modules():
    for module, kind in ((sluice.nvenc, sluice.NvencEncoder), (sluice.videotoolbox, sluice.VtEncoder)):
        assert getattr(module, kind.__name__) is kind
        assert isinstance(module.abi, str) and isinstance(module.nvtx_enabled, bool)
        assert isinstance(module.supported(), bool)
        with pytest.raises(AttributeError):
            module.absent


@pytest.mark.parametrize("size", [(0, 180), (320, 0), (-2, 180), (321, 180), (320, 181), (320, -180)])
@pytest.mark.parametrize("kind", [sluice.NvencEncoder, sluice.VtEncoder])
def test_wrong_sizes(kind, size):
    with pytest.raises(ValueError, match="size"):
        kind(*size)


@pytest.mark.parametrize("keywords", [
    {"preset": "p0"}, {"preset": "fast"}, {"preset": ""}, {"tuning": "low"}, {"tuning": ""}, {"codec": "av1"},
    {"codec": "H264"}, {"profile": "high10"}, {"profile": ""}, {"codec": "hevc", "profile": "high"},
    {"gpu_id": -1}, {"extra_output_delay": 17}, {"gop": 2**31}])
def test_words_that_nvenc_does_not_know(keywords):
    with pytest.raises(ValueError, match=next(iter(reversed(keywords)))):
        sluice.NvencEncoder(WIDTH, HEIGHT, **keywords)


@pytest.mark.parametrize("keywords", [{"codec": "av1"}, {"bitrate": 0}, {"gop": -1}])
def test_words_that_videotoolbox_does_not_know(keywords):
    with pytest.raises(ValueError, match=next(iter(keywords))):
        sluice.VtEncoder(WIDTH, HEIGHT, **keywords)


def test_without_a_device():
    """What cannot be had is a RuntimeError with the reason."""
    for module, kind in ((sluice.nvenc, sluice.NvencEncoder), (sluice.videotoolbox, sluice.VtEncoder)):
        if not module.supported():
            with pytest.raises(RuntimeError) as caught:
                kind(WIDTH, HEIGHT)
            assert isinstance(caught.value.__cause__, sluice.Error) and str(caught.value)


# ---- on a device, or a stand-in of its libraries ------------------------------------------------

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
