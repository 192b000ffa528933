# SPDX-License-Identifier: MIT
"""Carries the command's input, output and exit status between guest and caller."""

import contextlib
import fcntl
import os
import select
import signal
import struct
import termios
import time
import tty

from machine import Failure

CHUNK = 65536


@contextlib.contextmanager
def raw_terminal(active):
    """Hands the caller's terminal to the guest's, and takes it back."""
    if not active:
        yield
        return
    saved = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)


def window_size():
    rows, cols = struct.unpack("HHHH", fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))[:2]
    return f"{rows} {cols}"


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


class TimeOut(Exception):
    """The command ran longer than allowed."""


class Relay:
    """One command's traffic. run() returns its exit status."""

    def __init__(self, machine, gpus):
        self.machine = machine
        self.gpus = gpus
        self.ports = machine.ports
        self.sent = 0
        self.pending = b""
        self.got = {"out": 0, "err": 0}
        self.ended = None

    def run(self, timeout, terminal):
        """Relays until the command has ended and all of its output has come."""
        deadline = time.monotonic() + timeout if timeout else None
        poll = select.poll()
        to_fd = {"out": 1, "err": 2}
        names = {self.ports[name].fileno(): name for name in ("ctl", "out", "err")}
        for fd in names:
            poll.register(fd, select.POLLIN)
        pids = [os.pidfd_open(p.pid) for p in (self.machine.process, *(g.process for g in self.gpus))]
        for fd in pids:
            poll.register(fd, select.POLLIN)
        self.ports["in"].setblocking(False)
        poll.register(0, select.POLLIN)
        if terminal:
            signal.signal(signal.SIGWINCH,
                          lambda *_: self.machine.tell(f"winsz {window_size()}"))
        try:
            while not self.complete():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeOut
                for fd, events in poll.poll(None if left is None else max(1, left * 1000)):
                    if fd == 0:
                        self.read_input(poll)
                    elif fd == self.ports["in"].fileno():
                        self.write_input(poll)
                    elif fd in pids:
                        self.lost()
                    elif names[fd] == "ctl":
                        self.control()
                    else:
                        data = self.ports[names[fd]].recv(CHUNK)
                        if not data:
                            self.lost()
                        self.got[names[fd]] += len(data)
                        write_all(to_fd[names[fd]], data)
        finally:
            for fd in pids:
                os.close(fd)
        return self.ended[0]

    def complete(self):
        return self.ended and (self.got["out"], self.got["err"]) == self.ended[1:]

    def lost(self):
        """A process or its connection is gone: say which."""
        for gpu in self.gpus:
            gpu.check()
        raise self.machine.died()

    def control(self):
        data = self.ports["ctl"].recv(CHUNK)
        if not data:
            self.lost()
        *lines, self.machine.control = (self.machine.control + data).split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").split(" ")
            if words[0] == "exit":
                self.ended = tuple(int(w) for w in words[1:4])
            elif words[0] == "error":
                raise Failure(" ".join(words[1:]))

    def read_input(self, poll):
        """One piece of standard input at a time: the guest's pace is the caller's."""
        try:
            self.pending = os.read(0, CHUNK)
        except OSError:
            self.pending = b""
        poll.unregister(0)
        if self.pending:
            poll.register(self.ports["in"].fileno(), select.POLLOUT)
        else:
            self.machine.tell(f"eof {self.sent}")

    def write_input(self, poll):
        try:
            n = self.ports["in"].send(self.pending)
        except BlockingIOError:
            return
        except OSError:
            self.lost()
        self.sent += n
        self.pending = self.pending[n:]
        if not self.pending:
            poll.unregister(self.ports["in"].fileno())
            poll.register(0, select.POLLIN)


def wake_up():
    """Lines that bring a restored guest into the present: its clock and its randomness."""
    now = time.time_ns()
    return [f"clock {now // 10**9} {now % 10**9}", f"seed {os.urandom(64).hex()}"]


def job(command, cwd, share, env, terminal):
    """The lines that describe the command to the agent, in its words."""
    def hexed(text):
        return os.fsencode(text).hex()

    lines = [f"cwd {hexed(cwd)}", f"sync {hexed(share)}"]
    lines += [f"env {hexed(f'{name}={value}')}" for name, value in env.items()]
    lines += [f"arg {hexed(arg)}" for arg in command]
    if terminal:
        lines.append(f"tty {window_size()}")
    return [*lines, "run"]
