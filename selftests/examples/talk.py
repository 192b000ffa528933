#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""talk.py SOCKET LINE...  One client of a Unix socket: sends each line, prints the line that answers it."""
import socket
import sys

client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
lines = client.makefile("rw")
for line in sys.argv[2:]:
    print(line, file=lines, flush=True)
    print(lines.readline(), end="")
