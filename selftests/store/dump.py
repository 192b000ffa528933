# SPDX-License-Identifier: MIT
"""
Makes folders that look to the image store as if CRIU had dumped into them: what CRIU and its amdgpu
plugin write, with content of our own. Numbers of fields: CRIU's images/pagemap.proto and
plugins/amdgpu/criu-amdgpu.proto.
"""
import struct

COMMON_MAGIC = 0x54564319
PAGEMAP_MAGIC = 0x56084025
PRESENT, LAZY, PARENT = 4, 2, 1
VRAM, GTT, USERPTR = 1, 2, 4


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def message(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def pagemap(pages_id, runs, long_counts=False):
    """runs: (address, pages, flags)"""
    parts = [number(1, pages_id)]
    for address, pages, flags in runs:
        entry = number(1, address) + number(2, 0 if long_counts else pages) + number(4, flags)
        parts.append(entry + number(5, pages) if long_counts else entry)
    return struct.pack("<II", COMMON_MAGIC, PAGEMAP_MAGIC) + b"".join(
        struct.pack("<I", len(part)) + part for part in parts)


def kfd(pid, bos):
    """bos: (address, size, alloc_flags, gpu_id)"""
    body = number(1, pid) + number(2, 1) + number(3, 1) + number(5, len(bos))
    for handle, (address, size, flags, gpu) in enumerate(bos):
        body += message(6, number(1, address) + number(2, size) + number(3, 1 << 40) +
                        number(4, flags) + number(5, gpu) + number(6, handle))
    body += number(7, 0) + number(8, 0) + number(9, 0) + message(10, b"opaque")
    return struct.pack("<Q", len(body)) + body


def write_dump(folder, rng, gpu=None, cpu=None):
    """
    Two processes, shared memory, BOs on two GPUs, one DRM BO. gpu and cpu: content of the first BO and of the first
    process; random if not given.
    """
    gpu = rng.randbytes(5 << 16) if gpu is None else gpu
    cpu = rng.randbytes(40 << 12) if cpu is None else cpu
    folder.mkdir()
    pages = len(cpu) >> 12

    def put(name, data, mode=0o600):
        path = folder / name
        path.write_bytes(data)
        path.chmod(mode)

    put("inventory.img", rng.randbytes(60))
    put("pstree.img", rng.randbytes(40), 0o644)
    put("empty.img", b"")
    put("pagemap-10.img", pagemap(1, [(0x400000, pages - 3, PRESENT), (0x7fff00000000, 1, 0),
                                      (0x7ffff0000000, 3, PRESENT | LAZY)]))
    put("pages-1.img", cpu)
    put("pagemap-11.img", pagemap(2, [(0x400000, 7, PRESENT)], long_counts=True))
    put("pages-2.img", cpu[:5 << 12] + bytes(2 << 12))
    put("pagemap-shmem-9.img", pagemap(3, [(0, 4, PRESENT)]))
    put("pages-3.img", rng.randbytes(4 << 12))
    put("pagemap-12.img", pagemap(4, []))
    put("pages-4.img", b"")
    bos = [(0x7f0000000000, len(gpu), VRAM, 0x1234), (0x7f1000000000, 1 << 20, USERPTR, 0x1234),
           (0x7f2000000000, 3 << 12, GTT, 0x1234), (0x7f3000000000, 1 << 17, VRAM, 0xabcd)]
    put("amdgpu-kfd-5.img", kfd(10, bos))
    first = gpu + rng.randbytes(3 << 12)
    put("amdgpu-pages-5-1234.img", struct.pack("<Q", len(first)) + first)
    second = gpu[:1 << 16] + bytes(1 << 16)
    put("amdgpu-pages-5-abcd.img", struct.pack("<Q", len(second)) + second)
    put("amdgpu-renderD-6.img", rng.randbytes(90))
    # Its header is whatever was in memory.
    put("amdgpu-drm-pages-6-0-1234.img", rng.randbytes(8) + rng.randbytes(1 << 16))
