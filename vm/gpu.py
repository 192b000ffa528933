# SPDX-License-Identifier: MIT
"""The virtual GPUs: one vgpu process for each, and the firmware that they want."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import time

from machine import OUT, REPO, Failure, spawn, tail

PROGRAM = REPO / "build" / "vgpu" / "vgpu"


def firmware():
    """Folder with the firmware files that this build of vgpu wants; made if need be."""
    if not PROGRAM.exists():
        raise Failure(f"{PROGRAM} is missing; build it with: make vgpu (or run without GPU: -g 0)")
    name = hashlib.sha256(PROGRAM.read_bytes()).hexdigest()[:16]
    folder = OUT / "firmware" / name
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        old = sorted(folder.parent.iterdir(), key=lambda p: p.stat().st_mtime)
        new = folder.with_suffix(f".{os.getpid()}")
        new.mkdir()
        made = subprocess.run([PROGRAM, "--firmware", new], capture_output=True, text=True, check=False)
        if made.returncode or not any(new.iterdir()):
            shutil.rmtree(new)
            raise Failure(f"{PROGRAM} --firmware failed: {made.stderr.strip()}")
        with contextlib.suppress(OSError):  # another vm/run was first: its files are the same
            new.rename(folder)
        shutil.rmtree(new, ignore_errors=True)
        # Others may still read the newest ones.
        for stale in old[:-8]:
            shutil.rmtree(stale, ignore_errors=True)
    return folder


class Gpu:
    """One vgpu process. Files in run_dir: vgpuN.sock, vgpuN.ctl (control), vgpuN.trace, vgpuN.log."""

    def __init__(self, index, run_dir, vram, args, trace):
        self.name = f"vgpu{index}"
        self.port = f"gpu{index}"
        self.log = run_dir / f"{self.name}.log"
        self.socket = run_dir / f"{self.name}.sock"
        self.control = run_dir / f"{self.name}.ctl"
        for path in (self.socket, self.control):
            if len(os.fsencode(path)) > 107:
                raise Failure(f"{path} is too long for a socket; choose a shorter --run-dir")
            path.unlink(missing_ok=True)
        args = [arg.replace("{gpu}", self.name) for arg in args]
        if trace:
            args = ["--trace", run_dir / f"{self.name}.trace", *args]
        self.process = spawn([PROGRAM, "--socket", self.socket, "--control", self.control,
                              "--vram", vram, *args], self.log, cwd=run_dir)

    def wait_for_socket(self, seconds=10):
        end = time.monotonic() + seconds
        while not self.socket.exists():
            self.check()
            if time.monotonic() > end:
                raise Failure(f"{self.name} made no socket in {seconds} s\n" + tail(self.log, 40))
            time.sleep(0.005)

    def device(self):
        """The device as QEMU takes it."""
        return {"driver": "vfio-user-pci", "id": self.name, "bus": self.port,
                "socket": {"type": "unix", "path": str(self.socket)}}

    def check(self):
        """Raises Failure if the process has ended."""
        status = self.process.poll()
        if status is not None:
            how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            raise Failure(f"{self.name} {how} while the machine was running\n" + tail(self.log, 40))

    def close(self):
        """Ends the process; asked first, so that it can write out its trace."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
