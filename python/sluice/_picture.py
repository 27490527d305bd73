# SPDX-License-Identifier: BSD-2-Clause
"""What an encoder is given: arrays of any kind, checked, as the planes that the library reads."""
from __future__ import annotations

import functools
import math
import sys
from typing import Any, NamedTuple

HOST, CUDA = 0, 1  # enum sl_picture_memory

# enum sl_picture_format, and the bytes of a sample
FORMATS = {"nv12": (0, 1), "i420": (1, 1), "i444": (2, 1), "p010": (3, 2), "rgb24": (4, 1), "bgr24": (5, 1),
           "rgba": (6, 1), "bgra": (7, 1)}
_CHANNELS = {"rgb24": 3, "bgr24": 3, "rgba": 4, "bgra": 4}
# What an array of a shape is taken for where no format is named.
_INFERRED = ("rgb24", "rgba", "nv12", "p010", "i444")
_TYPES = {1: "uint8", 2: "uint16"}
_NAMES = {"B": "uint8", "H": "uint16", "b": "int8", "h": "int16", "f": "float32", "d": "float64", "?": "bool"}
_NATIVE = "<" if sys.byteorder == "little" else ">"


class Picture(NamedTuple):
    """Arguments of _sluice.Encoder.send(), and what has to be released after it."""
    format: int
    memory: int
    planes: "tuple[tuple[Any, int, int], ...]"  # (address or buffer, offset, stride)
    owner: Any
    stream: int
    views: "list[memoryview]"


class _Geometry(NamedTuple):
    shape: "tuple[int, ...]"
    strides: "tuple[int, ...]"
    sample: int  # bytes; 0: not an unsigned integer of 8 or 16 bits in native order
    type: str  # for messages


class _Array(NamedTuple):
    source: Any  # an address, or a memoryview
    offset: int
    geometry: _Geometry
    memory: int
    stream: int


# ---- where the planes are -----------------------------------------------------------------------

def _packed(shape: "tuple[int, ...]", sample: int) -> "tuple[int, ...]":
    """The strides of an array without gaps."""
    return tuple(sample * math.prod(shape[i + 1:]) for i in range(len(shape)))


class _Layout:
    """How a picture of one format and size may lie in memory."""

    def __init__(self, name: str, width: int, height: int):
        self.name = name
        self.number, self.sample = FORMATS[name]
        half = (height // 2, width // 2)
        if name in _CHANNELS:
            self.whole: "tuple[int, ...]" = (height, width, _CHANNELS[name])
            self.planes: "list[tuple[tuple[int, ...], ...]]" = [(self.whole,)]
        elif name == "i444":
            self.whole = (3, height, width)
            self.planes = [((height, width),)] * 3
        else:
            self.whole = (height * 3 // 2, width)
            self.planes = [((height, width),)]
            self.planes += [(half,)] * 2 if name == "i420" else [((half[0], width), (*half, 2))]
        self.size = self.sample * math.prod(self.whole)

    def __str__(self) -> str:
        return f"{self.whole} {_TYPES[self.sample]} ({self.name})"

    def check(self, array: _Geometry, gaps: bool = True) -> int:
        """Rows without gaps inside. Returns: the stride from row to row."""
        packed = _packed(array.shape, self.sample)
        if array.sample != self.sample:
            raise ValueError(f"samples are {array.type}, expected {_TYPES[self.sample]} for {self.name}")
        good = array.strides[1:] == packed[1:] and abs(array.strides[0]) >= packed[0]
        if not good or (not gaps and array.strides != packed):
            raise ValueError(f"strides are {array.strides}, expected {packed}" + (
                " with any gap between the rows: numpy.ascontiguousarray() makes such a copy" if gaps
                else f": {self.name} in one array has no gaps"))
        return array.strides[0]

    def split(self, array: _Geometry) -> "tuple[tuple[int, int], ...]":
        """(offset, stride) of the planes in one array."""
        height, width = self.planes[0][0][:2]
        if self.name == "i444":  # three arrays of rows
            stride = self.check(array._replace(shape=array.shape[1:], strides=array.strides[1:]))
            return tuple((i * array.strides[0], stride) for i in range(3))
        stride = self.check(array, gaps=self.name != "i420")
        if self.name in _CHANNELS:
            return ((0, stride),)
        if self.name == "i420":
            luma = height * width
            return (0, width), (luma, width // 2), (luma + luma // 4, width // 2)
        return (0, stride), (height * stride, stride)


class _Plan(NamedTuple):
    format: int  # enum sl_picture_format
    places: "tuple[tuple[int, int, int], ...]"  # of each plane: number of the array, offset, stride


def _plan_one(name: "str | None", width: int, height: int, array: _Geometry) -> _Plan:
    """Of one array; a flat one is given its shape."""
    layouts = [_Layout(n, width, height) for n in ((name,) if name else _INFERRED)]
    for layout in layouts:
        found = array.shape == layout.whole and (name or array.sample == layout.sample)
        if array.shape == (layout.size,) and array.sample == 1 and array.strides == (1,) and (
                name or layout.sample == 1):
            found = True
            array = _Geometry(layout.whole, _packed(layout.whole, layout.sample), layout.sample, array.type)
        if found:
            return _Plan(layout.number, tuple((0, *place) for place in layout.split(array)))
    raise ValueError(f"the picture is of shape {array.shape} and type {array.type}, expected "
                     f"{', '.join(map(str, layouts))}")


def _plan_many(name: "str | None", width: int, height: int, arrays: "tuple[_Geometry, ...]") -> _Plan:
    """Of an array for each plane."""
    if not name:
        if len(arrays) == 2:
            name = "p010" if arrays[0].sample == 2 else "nv12"
        elif len(arrays) == 3:
            name = "i444" if arrays[1].shape == arrays[0].shape else "i420"
        else:
            raise ValueError(f"{len(arrays)} planes, expected 2 or 3")
    layout = _Layout(name, width, height)
    if len(arrays) != len(layout.planes):
        raise ValueError(f"{len(arrays)} planes, expected {len(layout.planes)} for {name}")
    for number, (array, shapes) in enumerate(zip(arrays, layout.planes)):
        if array.shape not in shapes:
            raise ValueError(f"plane {number} is of shape {array.shape}, expected "
                             f"{' or '.join(map(str, shapes))} for {name}")
    return _Plan(layout.number, tuple((i, 0, layout.check(array)) for i, array in enumerate(arrays)))


@functools.lru_cache(maxsize=256)
def _plan(name: "str | None", width: int, height: int, several: bool,
          arrays: "tuple[_Geometry, ...]") -> _Plan:
    """Pictures of one encoder are mostly alike, so that this is looked up."""
    return (_plan_many(name, width, height, arrays) if several
            else _plan_one(name, width, height, arrays[0]))


# ---- arrays -------------------------------------------------------------------------------------

def _of_buffer(view: memoryview) -> _Array:
    order, kind = view.format[:-1], view.format[-1:]
    known = {"B": 1, "H": 2}.get(kind, 0)
    native = known != 2 or order in ("", "@", "=", _NATIVE)
    return _Array(view, 0, _Geometry(view.shape or (), view.strides or (), known if native else 0,
                                     _NAMES.get(kind, kind) if native else view.format), HOST, 0)


def _of_interface(name: str, interface: Any, memory: int) -> _Array:
    """The dictionary of __array_interface__ or __cuda_array_interface__ (version 3)."""
    try:
        shape = tuple(int(n) for n in interface["shape"])
        kind = str(interface["typestr"])
        strides = interface.get("strides")
        data = interface.get("data")
        mask = interface.get("mask")
        stream = interface.get("stream") if memory == CUDA else None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is not as its protocol says: {error!r}") from None
    known = {"u1": 1, "u2": 2}.get(kind[1:], 0)
    strides = _packed(shape, known) if strides is None else tuple(int(n) for n in strides)
    if mask is not None:
        raise ValueError(f"{name} has a mask, expected none")
    if len(strides) != len(shape):
        raise ValueError(f"{name} has {len(strides)} strides and {len(shape)} sides")
    # 0 could be either default stream, so the protocol forbids it. 1 is the legacy one, which is the
    # library's NULL; 2 that of the calling thread, by the same number in the driver. Without one
    # (None) there is nothing to wait for, and the library has no way to say so.
    if stream is not None and (not isinstance(stream, int) or not 0 < stream < 1 << 64):
        raise ValueError(f"{name} has stream {stream!r}, expected None or a number above 0")
    if isinstance(data, tuple) and data and isinstance(data[0], int) and 0 < data[0] < 1 << 64:
        source: Any = data[0]
        offset = 0
    elif memory == HOST and data is not None and not isinstance(data, tuple):
        source, offset = memoryview(data), int(interface.get("offset", 0))
    else:
        raise ValueError(f"{name} has data {data!r}, expected an address")
    native = known != 2 or kind[0] == _NATIVE
    return _Array(source, offset, _Geometry(shape, strides, known if native else 0, kind), memory,
                  0 if stream in (None, 1) else stream)


def _look(frame: Any, owners: "list[Any]") -> _Array:
    try:
        return _of_buffer(memoryview(frame))
    except TypeError:
        pass  # it has no buffer
    for name, memory in (("__cuda_array_interface__", CUDA), ("__array_interface__", HOST)):
        interface = getattr(frame, name, None)
        if interface is not None:
            owners.append(interface)
            return _of_interface(name, interface, memory)
    device = getattr(frame, "__dlpack_device__", None)
    if device is not None and device()[0] in (1, 3):  # in the host's memory, as a tensor of torch is
        import numpy
        array: Any = numpy.from_dlpack(frame)
        owners.append(array)
        return _of_buffer(memoryview(array))
    raise TypeError(f"a {type(frame).__name__} is no picture: expected an object with a buffer, "
                    "__array_interface__ or __cuda_array_interface__, or a tuple of planes")


# ---- pictures -----------------------------------------------------------------------------------

def release(views: "list[memoryview]") -> None:
    for view in views:
        view.release()


def take(frame: Any, name: "str | None", width: int, height: int) -> Picture:
    """Planes of `frame`. name None: the format follows from its shape. Raises TypeError for what is no
    array, ValueError for one of another shape, type or memory layout."""
    owners = [frame]
    arrays: "list[_Array]" = []
    several = isinstance(frame, (tuple, list))
    try:
        for part in frame if several else (frame,):
            arrays.append(_look(part, owners))
        number, places = _plan(name, width, height, several, tuple([a.geometry for a in arrays]))
        if several and len({(a.memory, a.stream) for a in arrays}) != 1:
            raise ValueError("the planes are not all in the same memory and stream")
    except BaseException:
        release([a.source for a in arrays if isinstance(a.source, memoryview)])
        raise
    return Picture(number, arrays[0].memory,
                   tuple([(arrays[i].source, arrays[i].offset + at, stride) for i, at, stride in places]),
                   owners, arrays[0].stream, [a.source for a in arrays if isinstance(a.source, memoryview)])
