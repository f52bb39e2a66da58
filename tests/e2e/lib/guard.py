# SPDX-License-Identifier: Apache-2.0
"""What no client may bring about: a process that ends, an error in the log, or much processor time."""
import contextlib
import json
import os
import re
import subprocess

from .server import BIN

SANITIZED = "-san" in BIN
TICK = os.sysconf("SC_CLK_TCK")
ENDED = re.compile(r"imapd-crashed|imapd-failed|child ended|zygote-exit|zygote-gone|message-crashed|Sanitizer|runtime error:")


class Guard:
    """Between its making and check(): the daemons are the same, nothing crashed, and all of them together
    used at most so many seconds of the processor."""

    FOREVER = ("frontend", "login", "authd", "backend", "notifyd")

    def __init__(self, server, cpu=4.0):
        self.server, self.limit = server, cpu * (10 if SANITIZED else 1)
        self.mark, self.before = os.stat(server.log_path).st_size, self.processes()

    def processes(self):
        """pid -> (program, seconds of the processor)"""
        return {pid: (name, cpu_s(pid)) for pid, name in programs(self.server).items()}

    def daemons(self, processes):
        return sorted((name, pid) for pid, (name, _) in processes.items() if name in self.FOREVER)

    def log(self):
        with open(self.server.log_path, "rb") as f:
            f.seek(self.mark)
            return f.read().decode("utf-8", "replace")

    def check(self):
        found, now = ENDED.search(self.log()), self.processes()
        assert not found, self.log()[max(0, found.start() - 2000):found.end() + 6000]
        assert self.daemons(now) == self.daemons(self.before)
        used = sum(cpu - self.before.get(pid, ("", 0.0))[1] for pid, (_, cpu) in now.items())
        assert used < self.limit, "%.2f s of processor time" % used


def programs(server):
    """pid -> name of every process that descends from the server's."""
    table, found = {}, {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/stat" % entry, "rb") as f:
            text = f.read().decode("utf-8", "replace")
            after = text.rsplit(")", 1)[1].split()
            if after[0] != "Z":
                table[int(entry)] = int(after[1]), text.split("(", 1)[1].rsplit(")", 1)[0]
    mine = {p.pid for p in server.processes.values()}
    for pid, (_, name) in table.items():
        up = pid
        while up in table and up not in mine:
            up = table[up][0]
        if up in mine:
            found[pid] = name
    return found


def cpu_s(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            after = f.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(after[11]) + int(after[12])) / TICK


def resident_kb(pid):
    """0 under ASan, which keeps freed memory."""
    if SANITIZED:
        return 0
    with open("/proc/%d/statm" % pid, encoding="ascii") as f:
        return int(f.read().split()[1]) * 4


def imapd_of(server, user):
    """The pid of the user's imapd."""
    out = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", server.conf, "who", "--json"], check=True,
                         capture_output=True)
    return [int(r["pid"]) for r in json.loads(out.stdout) if r["user"] == user][0]
