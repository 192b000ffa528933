# SPDX-License-Identifier: MIT
"""
Stops the command gmmap at each system call by which it changes the store: kills it there, or lets the call fail. strace does
both. What must hold afterwards is in check().
"""
import re
import shutil
import subprocess

# By which something on disk changes, or comes to disk.
CALLS = ("mkdirat", "write", "pwritev", "pwrite64", "fchmod", "fsync", "renameat", "renameat2",
         "unlinkat", "ftruncate")


def trace(command, *options):
    return subprocess.run(["strace", "-f", "-qq", *options, *command], text=True, check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def list_steps(command):
    """(system call, how often it came before) of all that the command does to files."""
    done = trace(command, "-e", "trace=" + ",".join(CALLS))
    if done.returncode:
        raise subprocess.SubprocessError(done.stderr)
    steps, seen = [], dict.fromkeys(CALLS, 0)
    for line in done.stderr.splitlines():
        match = re.match(r"(?:\[pid +\d+\] )?(\w+)\((\d+|AT_FDCWD)", line)
        if match and match[1] in seen:
            seen[match[1]] += 1
            # Standard output and error are no part of a store.
            if match[2] not in ("1", "2"):
                steps.append((match[1], seen[match[1]]))
    return steps


def stop_at(command, step, how):
    """Runs the command up to a step; how: signal=KILL or error=NAME. Returns its exit status."""
    return trace(command, "-e", f"trace={step[0]}", "-e", f"inject={step[0]}:{how}:when={step[1]}").returncode


class Copies:
    """A store that begins each time as it was."""

    def __init__(self, store, scratch):
        self.store, self.scratch = store, scratch
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.copytree(store, scratch, symlinks=True)

    def restore(self):
        shutil.rmtree(self.store)
        shutil.copytree(self.scratch, self.store, symlinks=True)
