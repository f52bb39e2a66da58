# SPDX-License-Identifier: Apache-2.0
"""What a server's processes cost: CPU time by cgroup (else by /proc), memory by smaps_rollup."""
import contextlib
import os
import time

TICK = os.sysconf("SC_CLK_TCK")


class Cgroup:
    """All processes that are started inside (`with group.inside():`), and theirs."""

    def __init__(self, name):
        self.path = None
        for base in ("/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"):
            usage = "cpuacct.usage" if base.endswith("cpuacct") else "cpu.stat"
            if not os.path.exists(os.path.join(base, "cgroup.procs")):
                continue
            path = os.path.join(base, "posthouse-bench.%d.%s" % (os.getpid(), name))
            try:
                os.mkdir(path)
                self.usage = os.path.join(path, usage)
                self.home = os.path.join(base, "cgroup.procs")
                with open(self.usage, encoding="ascii"):
                    self.path = path
                return
            except OSError:
                with contextlib.suppress(OSError):
                    os.rmdir(path)

    @property
    def how(self):
        return "cgroup" if self.path else "/proc/PID/stat"

    @contextlib.contextmanager
    def inside(self):
        """Children that this process starts meanwhile belong to the group."""
        if self.path:
            self.move(os.path.join(self.path, "cgroup.procs"))
        try:
            yield
        finally:
            if self.path:
                self.move(self.home)

    @staticmethod
    def move(procs):
        with open(procs, "w", encoding="ascii") as f:
            f.write(str(os.getpid()))

    def pids(self, roots):
        if self.path:
            with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as f:
                return [int(line) for line in f]
        return descendants(roots)

    def cpu(self, roots):
        """Seconds of CPU that the group has used."""
        if not self.path:
            return sum(map(stat_cpu, descendants(roots)))
        with open(self.usage, encoding="ascii") as f:
            text = f.read()
        if self.usage.endswith("cpuacct.usage"):
            return int(text) / 1e9
        return int(text.split("usage_usec", 1)[1].split()[0]) / 1e6

    def remove(self):
        for _ in range(50):
            if not self.path:
                return
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
                self.path = None
            time.sleep(0.1)


def stat_fields(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
        return f.read().rsplit(")", 1)[1].split()


def stat_cpu(pid):
    """A process's own time and that of the children it has waited for."""
    with contextlib.suppress(OSError):
        return sum(map(int, stat_fields(pid)[11:15])) / TICK
    return 0.0


def descendants(roots):
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            parents[int(entry)] = int(stat_fields(int(entry))[1])
    found = [pid for pid in roots if pid in parents]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


def pss(pids):
    """Proportional set size of all of them, in bytes."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as f:
            for line in f:
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total
