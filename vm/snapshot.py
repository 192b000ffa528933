# SPDX-License-Identifier: MIT
"""Snapshots of a booted machine with all modules loaded, without GPU and disks.

Loading amdgpu takes most of a minute in emulation, and module parameters are
frozen with it: there is one snapshot for each layout (kernel, initrd, memory,
parameters), made when it is first asked for.
"""

import contextlib
import fcntl
import os
import shutil
import sys
import time

from machine import OUT, Failure, Machine

FOLDER = OUT / "snapshots"
KEEP = 6
BOOT_SECONDS = 300


def save(layout, folder):
    """Boots the machine and leaves its memory in folder/ram."""
    with Machine(layout, folder) as m:
        try:
            m.expect("ready", BOOT_SECONDS, "booted guest")
        except Failure as e:
            raise Failure(f"{e}{layout.kernel.hint()}") from e
        m.qmp("stop")
        # Pages go to fixed offsets: zero pages stay holes, and loading is a plain read.
        m.qmp("migrate-set-capabilities",
              capabilities=[{"capability": "mapped-ram", "state": True}])
        m.qmp("migrate", uri=f"file:{folder}/ram.new")
        m.migration_done()
        m.qmp("quit")
        m.process.wait()
    os.rename(folder / "ram.new", folder / "ram")


def prune():
    """Removes the least recently used snapshots that nobody uses now."""
    locks = [p for p in FOLDER.glob("*.lock") if p.with_suffix("").exists()]
    locks.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    for path in locks[KEEP:]:
        with open(path, "a", encoding="ascii") as lock, contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path.with_suffix(""), ignore_errors=True)


@contextlib.contextmanager
def snapshot(layout):
    """Gives the snapshot's memory file, made if need be; it stays while in use."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    folder = FOLDER / layout.key()
    path = FOLDER / f"{folder.name}.lock"
    while True:
        with open(path, "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
            if (folder / "ram").exists():
                os.utime(path)
                yield folder / "ram"
                return
        with open(path, "a", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (folder / "ram").exists():
                continue
            start = time.monotonic()
            print(f"vm: preparing a snapshot of kernel {layout.kernel.release}, "
                  "once for each set of parameters (about a minute)", file=sys.stderr)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            save(layout, folder)
            print(f"vm: snapshot ready after {time.monotonic() - start:.0f} s", file=sys.stderr)
        prune()
