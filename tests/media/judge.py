# SPDX-License-Identifier: BSD-2-Clause
"""Everything that must hold of any ladder, whatever it was made from."""
import pathlib

from lib import F, Fragment, Master, edit_start, decode_clean, probe, timescale


def judge_timing(p, tmp, video):
    """fMP4: to the tick, every segment starts where the one before ended and lasts its EXTINF."""
    init = p.init.read_bytes()
    scale, shift = timescale(init), edit_start(init)
    expected, total, written = 0, F(0), F(0)
    frames = []
    for path, extinf in p.segments:
        f = Fragment(path)
        assert f.tfdt == expected, f"{path}: tfdt {f.tfdt}, expected {expected}"
        expected += f.duration
        total = F(expected - (0 if video else shift), scale)
        written += extinf
        assert abs(written - total) <= F(1, 10**6), f"{path}: EXTINF {extinf}, boxes say {total}"
        pts = [t - shift for t in f.pts]
        if video:
            assert f.samples[0]["sync"], f"{path}: does not start with a sync sample"
            assert pts[0] == min(pts) == f.tfdt, f"{path}: the cut is not the first picture"
        frames += pts
    assert len(set(frames)) == len(frames)
    return [F(t, scale) for t in sorted(frames)]


def judge(out, tmp, segment=4, frames=None, sound=True, ended=True, event=True):
    """Judges a finished ladder; returns {name: picture times}."""
    tmp = pathlib.Path(tmp)
    m = Master(out)
    assert m.variants, m.text
    lists = m.playlists()
    times, cuts = {}, {}
    for name, p in lists.items():
        assert p.ended == ended and p.event == event, p.path
        assert p.segments, p.path
        for path, extinf in p.segments:
            assert path.stat().st_size > 0
            assert extinf > 0 and int(extinf + F(1, 2)) <= p.target, (path, extinf, p.target)
        whole = p.whole(tmp / f"{name}.whole")
        decode_clean(whole)
        video = name != "audio"
        if p.init:
            times[name] = judge_timing(p, tmp, video)
        if video:
            cuts[name] = [d for _, d in p.segments]
            if frames is not None:
                n = probe(whole, "-count_packets", "-show_entries", "stream=nb_read_packets",
                          select="v:0", warn=False)["streams"][0]["nb_read_packets"]
                assert int(n) == frames, (name, n, frames)
    assert len({tuple(c) for c in cuts.values()}) == 1, "rungs are not cut alike"
    judge_master(m, lists, tmp, sound)
    for p in pathlib.Path(out).rglob("*"):
        assert not p.name.endswith(".sltmp"), p
    return times


def judge_master(m, lists, tmp, sound):
    muxed = not m.audio
    for attrs, uri in m.variants:
        name = uri.split("/")[0]
        p = lists[name]
        peak = rate_peak(p)
        total = F(sum(path.stat().st_size * 8 for path, _ in p.segments)) / p.duration
        if m.audio:
            a = lists["audio"]
            peak += rate_peak(a)
            total += F(sum(path.stat().st_size * 8 for path, _ in a.segments)) / a.duration
        assert abs(int(attrs["BANDWIDTH"]) - peak) <= 2 + peak / 1000, (name, attrs, float(peak))
        assert abs(int(attrs["AVERAGE-BANDWIDTH"]) - total) <= 2 + total / 1000, (name, attrs)
        want = 2 if sound else 1
        assert len(attrs["CODECS"].split(",")) == want, attrs
        info = probe(tmp / f"{name}.whole", "-show_entries", "stream=codec_type,width,height,profile,level,sample_aspect_ratio",
                     warn=False)["streams"]
        v = next(s for s in info if s["codec_type"] == "video")
        w, h = F(v["width"]), F(v["height"])
        aspect = F(v.get("sample_aspect_ratio", "1:1").replace(":", "/").replace("0/1", "1/1"))
        shown = (w * aspect, h) if aspect > 1 else (w, h / aspect)
        assert attrs["RESOLUTION"] == "%dx%d" % tuple(int(x + F(1, 2)) for x in shown), (attrs, v)
        avc = attrs["CODECS"].split(",")[0]
        assert avc.startswith("avc1.") and int(avc[9:11], 16) == v["level"], (avc, v)
        if sound and muxed:
            assert any(s["codec_type"] == "audio" for s in info)


def rate_peak(p):
    """BANDWIDTH by RFC 8216bis 4.4.6.2: runs of 0.5 to 1.5 target durations."""
    low, high = F(p.target, 2), F(3 * p.target, 2)
    sizes = [(path.stat().st_size * 8, d) for path, d in p.segments]
    best = F(0)
    for i in range(len(sizes)):
        bits, length = 0, F(0)
        for b, d in sizes[i:]:
            bits, length = bits + b, length + d
            if length > high:
                break
            if length >= low:
                best = max(best, bits / length)
    return best or F(sum(b for b, _ in sizes)) / p.duration
