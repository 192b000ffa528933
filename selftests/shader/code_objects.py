#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""code_objects.py DIRECTORY FILE...  Writes the gfx906 code objects in FILEs to DIRECTORY.

A host program or library has bundles of them (Clang's offload bundle format); a file that is a code
object for gfx906 itself is copied. Prints how many there are.
"""
import mmap
import os
import struct
import sys

MAGIC = b"__CLANG_OFFLOAD_BUNDLE__"
EM_AMDGPU = 224
EF_AMDGPU_MACH = 0xFF
EF_AMDGPU_MACH_GFX906 = 0x2F


def bundled(data):
    at = data.find(MAGIC)
    while at >= 0:
        (count,) = struct.unpack_from("<Q", data, at + len(MAGIC))
        entry = at + len(MAGIC) + 8
        for _ in range(count):
            offset, size, length = struct.unpack_from("<QQQ", data, entry)
            target = data[entry + 24 : entry + 24 + length]
            entry += 24 + length
            if b"--gfx906" in target and size:
                yield data[at + offset : at + offset + size]
        at = data.find(MAGIC, at + len(MAGIC))


def is_gfx906(data):
    if len(data) < 64 or data[:4] != b"\x7fELF":
        return False
    (machine,) = struct.unpack_from("<H", data, 18)
    (flags,) = struct.unpack_from("<I", data, 48)
    return machine == EM_AMDGPU and flags & EF_AMDGPU_MACH == EF_AMDGPU_MACH_GFX906


def code_objects(name):
    if os.path.getsize(name) == 0:
        return
    with open(name, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if is_gfx906(data[:64]):
            yield data[:]
        else:
            yield from bundled(data)


def main():
    directory, names = sys.argv[1], sys.argv[2:]
    os.makedirs(directory, exist_ok=True)
    count = 0
    for name in names:
        for code in code_objects(name):
            with open(os.path.join(directory, f"{count:05}.o"), "wb") as out:
                out.write(code)
            count += 1
    print(count)


if __name__ == "__main__":
    main()
