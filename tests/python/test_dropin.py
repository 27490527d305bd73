# SPDX-License-Identifier: BSD-2-Clause
"""NvencEncoder and VtEncoder: signatures, and what is refused before a device is looked for. The rest is
in test_devices.py."""
import inspect

import pytest

import sluice
import sluice.nvenc
import sluice.videotoolbox

WIDTH, HEIGHT = 320, 180


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
