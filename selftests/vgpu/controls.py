#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
controls.py [SCENARIO...]  Runs on the host, starts test machines and uses the virtual GPU's controls:
statistics that the guest cannot see, fault injection, several GPUs, sizes. Prints TAP and a summary.
"""
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
BIN = "build/selftests/vgpu/"
TIMEOUT = os.environ.get("SCENARIO_SECONDS", "300")


class Failed(Exception):
    """A scenario's expectation was not met."""


def expect(condition, what):
    if not condition:
        raise Failed(what)


class Guest:
    """A test machine that runs one command. Leave the with block to wait for its end."""

    def __init__(self, *command, kernel="backports", gpus=1, settings=(), options=()):
        # Socket paths are short: a folder in build/ may lie too deep for one.
        self.folder = tempfile.TemporaryDirectory(prefix="vgpu-", dir="/tmp")
        self.dir = Path(self.folder.name)
        args = [REPO / "vm/run", "-k", kernel, "-g", str(gpus), "--run-dir", self.dir,
                "--timeout", TIMEOUT, "--vgpu-arg=--stats", "--vgpu-arg=stats.{gpu}.json"]
        for setting in settings:
            args += ["--vgpu-arg=--set", f"--vgpu-arg={setting}"]
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([*args, *options, "--", *command], cwd=REPO, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.output = ""
        self.status = None

    def wait_for_line(self, text):
        """Reads output up to a line that begins with text."""
        for line in self.process.stdout:
            self.output += line
            if line.startswith(text):
                return
        raise Failed(f"the guest ended without printing {text!r}:\n{self.output}")

    def control(self, command, index=0):
        """Sends a control command and returns its answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(20)
            sock.connect(str(self.dir / f"vgpu{index}.ctl"))
            sock.sendall(command.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                part = sock.recv(65536)
                expect(part, f"the control socket closed during {command!r}")
                answer += part
        answer = json.loads(answer)
        expect("error" not in answer, f"{command!r}: {answer}")
        return answer

    def go_on(self):
        """Gives the guest's command a line on its input."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def finish(self):
        """Waits for the end and checks that the command succeeded. Returns the final statistics."""
        rest, _ = self.process.communicate(timeout=int(TIMEOUT) + 200)
        self.output += rest
        self.status = self.process.returncode
        expect(self.status == 0, f"the guest's command ended with {self.status}:\n{self.output}")
        return json.loads((self.dir / "stats.vgpu0.json").read_text())

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.process.stdout.close()
        self.process.stdin.close()
        self.folder.cleanup()


def check_accounts(stats):
    """Every retry fault was acknowledged exactly once, and no interrupt vector was lost."""
    expect(stats["retry_faults"] > 0, "there was no retry fault")
    for name in ("cam_acks_spurious", "cam_used", "ivs_dropped", "interrupts_failed"):
        expect(stats[name] == 0, f"{name} is {stats[name]}: {stats}")
    expect(stats["retry_faults"] == stats["cam_acks"],
           f"{stats['retry_faults']} retry faults, {stats['cam_acks']} acknowledges")


PRESSURE = ["ih-noise=8", "cam-entries=4", "jitter=100000"]
# The kernel's paging queues also take user submissions. One that waits for a page can then stand
# before the page table update that would end the wait, so here the CPU writes the page tables.
STORMS = {"backports": (["svm_faults_on_both_hubs"], []),
          "stable": (["graphics_vm_faults"], ["-p", "vm_update_mode=3"])}


def storm(kernel, settings=()):
    names, options = STORMS[kernel]
    with Guest(BIN + "fault_storm", "--processes", "8", "--faults", str(FAULTS),
               "--rounds", str(ROUNDS), *names,
               kernel=kernel, settings=settings, options=options) as guest:
        stats = guest.finish()
    check_accounts(stats)
    expect(stats["retry_faults"] >= 8 * FAULTS, f"only {stats['retry_faults']} retry faults")
    return (f"{stats['retry_faults']} retry faults, {stats['cam_acks']} acknowledges, "
            f"{stats['ivs']} interrupt vectors")


def storm_backports():
    """Eight processes fault through both hubs; every fault is acknowledged once (SVM)."""
    return storm("backports")


def storm_backports_under_pressure():
    """The same with noise on the interrupt ring, few CAM entries and scheduling jitter."""
    return storm("backports", PRESSURE)


def storm_stable():
    """The same through graphics VMs, on the kernel without SVM."""
    return storm("stable")


def storm_stable_under_pressure():
    """The same with pressure."""
    return storm("stable", PRESSURE)


def delayed_interrupts():
    """Interrupts that come 5 ms late delay, but change nothing."""
    with Guest(BIN + "sdma_queue", "trap_wakes_a_waiting_thread",
               settings=["interrupt-delay=5000000"]) as guest:
        guest.finish()


def lost_interrupts():
    """The driver's fence timer makes up for interrupts that never come."""
    script = f"echo ready; read line; {BIN}drm_cs random_copies_between_vram_and_gtt"
    with Guest("sh", "-c", script) as guest:
        guest.wait_for_line("ready")
        guest.control("set lost-interrupts 20")
        guest.go_on()
        guest.finish()


def copy_times(guest, settings):
    """Changes a setting before each run of examples/copy_and_fault; the ms of its 1 MiB copies."""
    for setting in settings:
        guest.wait_for_line("ready")
        guest.control(f"set {setting}")
        guest.go_on()
    guest.finish()
    return [int(us) / 1000 for us in re.findall(r"copy +1 MiB.* (\d+) us emulated", guest.output)]


COPY_TWICE = "for i in 1 2; do echo ready; read line; build/examples/copy_and_fault || exit 1; done"


def slow_copies():
    """A setting slows copies down while the machine runs."""
    with Guest("sh", "-c", COPY_TWICE) as guest:
        fast, slow = copy_times(guest, ["copy-delay 0", "copy-delay 300000000"])
    expect(slow > fast + 200, f"{fast} ms, and {slow} ms with 300 ms more for each copy")
    return f"{fast} ms, then {slow} ms"


def copy_error_is_reported():
    """A copy that fails in the engine raises the ECC interrupt; the next process is not touched."""
    script = f"""echo ready; read line
        timeout 60 {BIN}sdma_queue copies_every_size_between_all_memories
        dmesg | grep -iE 'ras|poison' || exit 9
        {BIN}sdma_queue copies_every_size_between_all_memories"""
    with Guest("sh", "-c", script) as guest:
        guest.wait_for_line("ready")
        guest.control("set copy-errors 1")
        guest.go_on()
        guest.wait_for_line("ok 1")
        expect(guest.control("settings")["copy-errors"] == 0, "no copy failed")
        guest.finish()


def hang_stops_all_queues_until_it_ends():
    """While the engines hang nothing completes; afterwards everything does."""
    script = f"echo ready; read line; {BIN}sdma_queue copies_every_size_between_all_memories"
    with Guest("sh", "-c", script) as guest:
        guest.wait_for_line("ready")
        guest.control("set hang 1")
        before = guest.control("stats")
        guest.go_on()
        time.sleep(3)
        during = guest.control("stats")
        packets = [sum(q["packets"] for q in s["queues"]) for s in (before, during)]
        expect(packets[0] == packets[1], f"{packets[1] - packets[0]} packets while hanging")
        guest.control("set hang 0")
        guest.finish()


def surprise_reset():
    """A device that resets itself takes neither QEMU nor the virtual GPU down."""
    with Guest("sh", "-c", "echo ready; read line; dmesg | tail -n 1 >/dev/null; echo alive") as guest:
        guest.wait_for_line("ready")
        guest.control("reset")
        expect(not any(q["active"] for q in guest.control("stats")["queues"]), "a queue is active")
        guest.go_on()
        guest.finish()
        expect("alive" in guest.output, guest.output)


def link_is_paced():
    """Copies over the bus take the time that the bandwidth allows."""
    with Guest("sh", "-c", COPY_TWICE) as guest:
        slow, fast = copy_times(guest, ["link-bandwidth 2M", "link-bandwidth 8M"])
    expect(480 < slow < 1500, f"1 MiB at 2 MiB/s took {slow} ms")
    expect(slow > 2 * fast, f"{slow} ms at 2 MiB/s, {fast} ms at 8 MiB/s")
    return f"{slow} ms at 2 MiB/s, {fast} ms at 8 MiB/s"


def two_gpus():
    """Two devices at once, each with its own queues."""
    script = f"""for gpu in 0 1; do
        SELFTEST_GPU=$gpu {BIN}sdma_queue copies_every_size_between_all_memories || exit 1
        SELFTEST_GPU=$gpu {BIN}pm4_queue release_mem_interrupt_wakes_a_waiting_thread || exit 1
    done"""
    with Guest("sh", "-c", script, gpus=2) as guest:
        guest.wait_for_line("ok 1")
        for index in (0, 1):
            expect(guest.control("stats", index)["reg_writes"] > 0, f"GPU {index} was not used")
        guest.finish()


def garbage():
    """Random registers, rings and page tables break neither the device nor QEMU."""
    script = """bdf=$(basename "$(readlink /sys/class/drm/renderD128/device)")
        echo "$bdf" >"/sys/bus/pci/devices/$bdf/driver/unbind"
        exec %sgarbage "$bdf" "$1" "$2" """ % BIN
    end = time.monotonic() + GARBAGE_SECONDS
    seed = answered = 0
    while time.monotonic() < end:
        seed += 1
        slice_s = min(30, max(5, int(end - time.monotonic())))
        with Guest("sh", "-c", script, "sh", str(slice_s), str(seed)) as guest:
            guest.output, _ = guest.process.communicate(timeout=300)
            # The guest may die of what the GPU wrote over it. The device and QEMU may not.
            expect(not re.search(r"(vgpu0|QEMU) (was killed|ended)", guest.output),
                   f"seed {seed}:\n{guest.output}")
            answered += "the device answers" in guest.output
    expect(answered, f"no run came to its end:\n{guest.output}")
    return f"{seed} runs, {answered} to their end"


def without_scheduler(kernel):
    with Guest("selftests/vgpu/run.sh", "sdma_queue", "pm4_queue", "aql_queue", "queue_churn", "parked",
               "hsa_copy", kernel=kernel, options=["-p", "sched_policy=2"]) as guest:
        guest.finish()
    return guest.output.splitlines()[-1]


def direct_queue_loading_backports():
    """The driver loads hardware queues itself (sched_policy=2)."""
    return without_scheduler("backports")


def direct_queue_loading_stable():
    """The same on the stable kernel."""
    return without_scheduler("stable")


def large_memories():
    """8 GiB of VRAM and 10 GiB of guest memory: addresses above 4 GiB on both sides."""
    with Guest(BIN + "sdma_queue", "copies_every_size_between_all_memories",
               options=["-m", "10G", "--vram", "8G"]) as guest:
        guest.finish()


def cold_boot():
    """The device is there when the machine is switched on."""
    with Guest(BIN + "sdma_queue", "copies_every_size_between_all_memories",
               options=["--cold"]) as guest:
        guest.finish()


def unbound_while_mapped(kernel):
    with Guest("selftests/gmmap/unbind.sh", kernel=kernel) as guest:
        guest.finish()


def unbound_while_mapped_stable():
    """The driver is unbound from a GPU whose memory is mapped to a file."""
    unbound_while_mapped("stable")


def unbound_while_mapped_backports():
    """The same on the other kernel."""
    unbound_while_mapped("backports")


SHORT = [storm_backports, storm_backports_under_pressure, storm_stable, storm_stable_under_pressure,
         delayed_interrupts, lost_interrupts, slow_copies,
         copy_error_is_reported, hang_stops_all_queues_until_it_ends,
         surprise_reset, link_is_paced, two_gpus, garbage,
         direct_queue_loading_stable, direct_queue_loading_backports,
         unbound_while_mapped_stable, unbound_while_mapped_backports]
LONG = [large_memories, cold_boot]
FAULTS = int(os.environ.get("STORM_FAULTS", "100"))  # of each process
ROUNDS = int(os.environ.get("STORM_ROUNDS", "1"))  # of SVM faults
GARBAGE_SECONDS = int(os.environ.get("GARBAGE_SECONDS", "10"))


def main():
    # Ends the test machine, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    known = {scenario.__name__: scenario for scenario in SHORT + LONG}
    names = sys.argv[1:] or [scenario.__name__ for scenario in SHORT]
    for name in names:
        if name not in known:
            sys.exit(f"controls.py: there is no scenario {name}; there are: {' '.join(known)}")
    failed = 0
    print(f"TAP version 13\n1..{len(names)}", flush=True)
    for number, name in enumerate(names, 1):
        begin = time.monotonic()
        try:
            note = known[name]()
            result = "ok"
        except (Failed, OSError, ValueError, subprocess.TimeoutExpired) as error:
            note = str(error)
            result = "not ok"
            failed += 1
        for line in (note or "").splitlines():
            print(f"# {line}")
        print(f"{result} {number} {name} # {time.monotonic() - begin:.0f} s", flush=True)
    print(f"{len(names) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
