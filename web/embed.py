#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""web/embed.py OUT.c NAME=FILE...: the files of the page as a C table (src/serve/assets.h).

Without any NAME=FILE the table is empty: the build without a page.
"""
import hashlib
import pathlib
import sys

PER_LINE = 24


def array(index, data):
    lines = [f"static const uint8_t data_{index}[{len(data)}] = {{"]
    for at in range(0, len(data), PER_LINE):
        lines.append(",".join(map(str, data[at : at + PER_LINE])) + ",")
    lines.append("};")
    return lines


def main():
    out, entries = pathlib.Path(sys.argv[1]), []
    lines = ["/* Made by web/embed.py. */", '#include "serve/assets.h"', ""]
    for index, argument in enumerate(sys.argv[2:]):
        name, _, path = argument.partition("=")
        data = pathlib.Path(path).read_bytes()
        if not data:
            sys.exit(f"embed.py: {path} is empty")
        etag = hashlib.sha256(data).hexdigest()[:24]
        lines += array(index, data)
        entries.append(f'    {{"{name}", "\\"{etag}\\"", data_{index}, sizeof data_{index}}},')
    lines += ["", "const struct sl_asset sl_assets[] = {", *entries, "    {NULL, NULL, NULL, 0},", "};"]
    out.write_text("\n".join(lines) + "\n")


main()
