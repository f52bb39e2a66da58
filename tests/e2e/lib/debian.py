# SPDX-License-Identifier: Apache-2.0
"""Files of Debian packages that are not installed: fetched once, kept in build/peers."""
import contextlib
import fcntl
import glob
import os
import subprocess
import tempfile

import pytest

from .server import TOP

PEERS = os.path.join(TOP, "build", "peers")


@contextlib.contextmanager
def fetching():
    """One test process at a time makes what lies in build/peers."""
    os.makedirs(PEERS, exist_ok=True)
    with open(os.path.join(PEERS, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def unpacked(*packages):
    """A directory with the content of these packages."""
    path = os.path.join(PEERS, "-".join(packages))
    with fetching():
        _unpack(path, packages)
    return path


def _unpack(path, packages):
    if not os.path.isdir(path):
        with tempfile.TemporaryDirectory(dir=PEERS) as tmp:
            fetch = ["apt-get", "download", "-qq", *packages]
            got = subprocess.run(fetch, cwd=tmp, capture_output=True, timeout=120)
            if got.returncode and os.geteuid() == 0:  # the lists of packages may be missing
                subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=300)
                got = subprocess.run(fetch, cwd=tmp, capture_output=True, timeout=120)
            if got.returncode:
                pytest.skip("apt-get download %s: %s" % (" ".join(packages), got.stderr[-300:]))
            tree = os.path.join(tmp, "tree")
            for package in glob.glob(tmp + "/*.deb"):
                subprocess.run(["dpkg-deb", "-x", package, tree], check=True, capture_output=True)
            os.rename(tree, path)
