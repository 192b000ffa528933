# SPDX-License-Identifier: MIT
"""The virtual machine: its layout, its QEMU process, its monitor."""

import ctypes
import hashlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
OUT = REPO / "build" / "vm"
TREE = OUT / "tree"

MAX_GPUS = 8
MAX_SCRATCH = 4
# A window for the largest BAR0 (8 GiB of VRAM) and the smaller BARs beside it.
GPU_WINDOW = "16G"
PORTS = ("ctl", "in", "out", "err")


class Failure(Exception):
    """The test machine failed, not the command in it: exit status 125."""


def die_with_parent():
    """Called in the child: it must not outlive us, whatever ends us."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def spawn(argv, log, **kwargs):
    """Starts a helper process out of the terminal's reach, output to the file log."""
    with open(log, "ab") as out:
        return subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, preexec_fn=die_with_parent, **kwargs)


def from_tree(program, *args):
    """Command line that runs a program of the tree on the host, without chroot."""
    return [TREE / "lib64/ld-linux-x86-64.so.2", "--library-path",
            TREE / "usr/lib/x86_64-linux-gnu", TREE / program, *args]


def have_kvm():
    """/dev/kvm alone is not enough: some hosts have one that runs no stock kernel."""
    flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").split()
    if "vmx" not in flags and "svm" not in flags:
        return False
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


class Kernel:
    """What vm/build left in build/vm/kernels/NAME."""

    def __init__(self, name):
        self.name = name
        self.folder = OUT / "kernels" / name
        try:
            self.release = (self.folder / "version").read_text().strip()
            self.initrd_key = (self.folder / "initrd.key").read_text().strip()
            (OUT / "root.key").read_text()
        except FileNotFoundError as e:
            raise Failure(f"{e.filename} is missing; build the test machine with: make vm") from e

    def hint(self):
        """The remedy when this kernel does not come up."""
        for line in (REPO / "vm" / "known-good").read_text().splitlines():
            words = line.split("#")[0].split()
            if len(words) == 2 and words[0] == self.name:
                if words[1] == self.release:
                    return f"kernel {self.name} {self.release} is known to work"
                return (f"kernel {self.name} is {self.release}; the last one known to work is "
                        f"{words[1]}, try: KERNEL_VERSION={words[1]} vm/build {self.name}")
        return f"kernel {self.name} {self.release} is not in vm/known-good"


class Layout:
    """All that two machines must share so that one can run the other's snapshot."""

    def __init__(self, kernel, ram, cpus, params, cold):
        self.kvm = kvm = have_kvm()
        self.kernel = kernel
        append = [
            "console=ttyS0", "quiet", "loglevel=5", "panic=-1", "mitigations=off", "nokaslr",
            "nowatchdog", "no5lvl", "tsc=reliable",
            # QEMU's map reserves the range below 1 TiB where the firmware puts the
            # windows of the root ports: without this a hot-plugged BAR0 gets no address.
            "pci=no_e820",
        ]
        append += [f"amdgpu.{name}={value}" for name, value in params.items()]
        if cold:
            append.append("vm.cold")
        args = [
            "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
            "-machine", "q35,memory-backend=ram,usb=off,vmport=off,accel=" + ("kvm" if kvm else "tcg"),
            "-cpu", "host" if kvm else "max",
            "-smp", str(cpus), "-m", ram,
            # The virtual GPU reads and writes guest memory through this file.
            "-object", f"memory-backend-memfd,id=ram,size={ram},share=on",
            "-append", " ".join(append),
            "-serial", "chardev:console",
            "-device", "virtio-rng-pci",
            "-device", "virtio-serial-pci,id=ports",
        ]
        for name in PORTS:
            args += ["-device", f"virtserialport,bus=ports.0,chardev={name},name=vm.{name}"]
        args += ["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"]
        # Everything that differs between runs is hot-plugged behind these ports.
        ports = [f"disk{i}" for i in range(1 + MAX_SCRATCH)] + [f"gpu{i}" for i in range(MAX_GPUS)]
        for slot, port in enumerate(ports, 1):
            window = (f"pref64-reserve={GPU_WINDOW},mem-reserve=16M" if port.startswith("gpu")
                      else "mem-reserve=2M")
            args += ["-device", f"pcie-root-port,id={port},bus=pcie.0,chassis={slot},slot={slot},"
                                f"addr={0x10 + slot - 1:#x},io-reserve=0,{window}"]
        self.args = args

    def key(self):
        """Name of the snapshot: changes whenever an old one could not be used."""
        qemu = TREE / "usr/bin/qemu-system-x86_64"
        stat = qemu.stat()
        what = [self.args, self.kernel.release, self.kernel.initrd_key, stat.st_size, stat.st_mtime]
        if self.kvm:  # the guest sees the host's processor
            what += [line for line in Path("/proc/cpuinfo").read_text(encoding="ascii").splitlines()
                     if line.startswith(("model name", "flags", "microcode"))][:3]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()[:16]


class Machine:
    """A running QEMU. Use as a context manager: leaving it leaves no process."""

    def __init__(self, layout, run_dir, extra=()):
        """run_dir takes console.log and qemu.log; extra is added to the command line."""
        self.run_dir = run_dir
        self.ports = {}
        self.process = None
        fds = []

        def pair(name):
            ours, theirs = socket.socketpair()
            fds.append(theirs)
            return ours, f"socket,id={name},fd={theirs.fileno()}"

        args = list(layout.args)
        for name in PORTS:
            self.ports[name], chardev = pair(name)
            args += ["-chardev", chardev]
        self.monitor, chardev = pair("monitor")
        args += ["-chardev", chardev, "-object", "monitor-qmp,id=qmp,chardev=monitor"]
        args += ["-chardev", f"file,id=console,path={run_dir}/console.log,append=on"]
        args += ["-fsdev", f"local,id=share,path={REPO},security_model=none,multidevs=remap"]
        args += ["-kernel", layout.kernel.folder / "vmlinuz", "-initrd", layout.kernel.folder / "initrd"]
        args += ["-L", TREE / "usr/share/qemu", "-L", TREE / "usr/share/seabios", *extra]
        # Debian's QEMU loads parts of itself from here; temporary disk overlays go to the run's folder.
        env = dict(os.environ, QEMU_MODULE_DIR=str(TREE / "usr/lib/x86_64-linux-gnu/qemu"),
                   TMPDIR=str(run_dir))
        self.process = spawn(from_tree("usr/bin/qemu-system-x86_64", *args), run_dir / "qemu.log",
                             pass_fds=[s.fileno() for s in fds], env=env)
        for s in fds:
            s.close()
        self.replies = self.monitor.makefile("r", encoding="utf-8")
        self.monitor.settimeout(60)
        self.control = b""
        try:
            self.replies.readline()
            self.qmp("qmp_capabilities")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for s in (self.monitor, *self.ports.values()):
            s.close()

    def died(self):
        """Explains an ended QEMU."""
        self.process.wait()
        status = self.process.returncode
        return Failure(f"QEMU ended (status {status}): the guest panicked or QEMU failed\n"
                       + tail(self.run_dir / "qemu.log", 10) + self.console())

    def console(self, lines=25):
        return "last lines of the console:\n" + tail(self.run_dir / "console.log", lines)

    def complaints(self):
        """What QEMU wrote to its log, but for what is known to be harmless."""
        text = (self.run_dir / "qemu.log").read_text(errors="replace")
        return [line for line in text.splitlines() if "Could not enable error recovery" not in line]

    def qmp(self, command, **arguments):
        """Runs a monitor command and returns its result."""
        request = {"execute": command, "arguments": arguments}
        try:
            self.monitor.sendall(json.dumps(request).encode() + b"\n")
            while line := self.replies.readline():
                reply = json.loads(line)
                if "error" in reply:
                    raise Failure(f"QEMU refuses {command}: {reply['error']['desc']}\n"
                                  + tail(self.run_dir / "qemu.log", 10))
                if "return" in reply:
                    return reply["return"]
        except TimeoutError as e:
            raise Failure(f"QEMU does not answer {command}") from e
        except OSError:
            pass
        raise self.died()

    def migration_done(self, seconds=120):
        """Waits for the end of a migration in either direction."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            info = self.qmp("query-migrate")
            if info.get("status") == "completed":
                return
            if info.get("status") in ("failed", "cancelled"):
                raise Failure(f"snapshot: {info.get('error-desc', info['status'])}")
            time.sleep(0.02)
        raise Failure(f"snapshot: not done after {seconds} s")

    def tell(self, *lines):
        """Sends lines to the guest's control port."""
        self.ports["ctl"].sendall("".join(f"{line}\n" for line in lines).encode())

    def listen(self, seconds, what, watch=lambda: None):
        """Next line from the guest's control port. Calls watch between looks."""
        end = time.monotonic() + seconds
        while b"\n" not in self.control:
            if time.monotonic() > end:
                raise Failure(f"no {what} after {seconds} s\n{self.console()}")
            watch()
            if select.select([self.ports["ctl"]], [], [], 0.2)[0]:
                data = self.ports["ctl"].recv(65536)
                if not data:
                    raise self.died()
                self.control += data
        line, self.control = self.control.split(b"\n", 1)
        return line.decode(errors="replace")

    def expect(self, word, seconds, what, watch=lambda: None):
        """Waits for the line word; "log" lines before an error become its explanation."""
        log = []
        while True:
            line = self.listen(seconds, what, watch)
            if line == word:
                return
            kind, _, text = line.partition(" ")
            if kind == "log":
                log.append(text)
            elif kind == "error":
                raise Failure("\n".join([text, *log[-60:]]) + "\n")
            else:
                raise Failure(f"the guest said {line!r} instead of {word!r}")


def tail(path, lines):
    """Last lines of a text file, indented for a message."""
    try:
        text = Path(path).read_text(errors="replace")
    except OSError:
        return ""
    return "".join(f"  | {line}\n" for line in text.replace("\r", "").splitlines()[-lines:])
