# SPDX-License-Identifier: Apache-2.0
"""Debian's Courier and Dovecot, unpacked (never installed: they conflict) below build/peers, as imapd on a socket pair."""
import atexit
import glob
import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from .debian import fetching
from .imap import Imap
from .server import BIN, MAIL_UID, ROOT
from .shell import Shell

WHERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "build", "peers")
PACKAGES = ["courier-imap", "courier-base", "courier-authlib", "libcourier-unicode4", "dovecot-core", "dovecot-imapd"]
AS_OWNER = ["setpriv", "--reuid", str(MAIL_UID), "--regid", str(MAIL_UID), "--clear-groups"] if ROOT else []
# Courier would wait seconds for a daemon that isn't there.
NO_FAM = "int FAMErrno; %s" % " ".join(
    "int FAM%s(void) { return %s; }" % (name, value) for name, value in
    [("Open", -1), ("Close", 0), ("Pending", 0), ("NextEvent", -1), ("MonitorDirectory", -1), ("MonitorFile", -1),
     ("CancelMonitor", -1)])
_unpacked = None


def unpacked():
    """The directory below which both lie, so that the mail's owner may run them."""
    global _unpacked
    if _unpacked:
        return _unpacked
    root = os.path.abspath(os.path.join(WHERE, "root"))
    with fetching():
        _unpack(root)
    _unpacked = root
    if subprocess.run([*AS_OWNER, "test", "-r", root + "/usr/bin/imapd"], check=False).returncode != 0:
        _unpacked = tempfile.mkdtemp(prefix="peers.")  # build/ is nobody else's business
        atexit.register(shutil.rmtree, _unpacked)
        os.chmod(_unpacked, 0o755)
        subprocess.run(["cp", "-a", root + "/.", _unpacked], check=True)
    return _unpacked


def _unpack(root):
    if not os.path.isdir(root):
        making = tempfile.mkdtemp(dir=WHERE)
        download = ["apt-get", "download", "-q", *PACKAGES]
        done = subprocess.run(download, cwd=making, capture_output=True, text=True, check=False)
        if done.returncode != 0 and ROOT:  # a container without lists
            subprocess.run(["apt-get", "update", "-qq"], capture_output=True, check=False)
            done = subprocess.run(download, cwd=making, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            shutil.rmtree(making)
            pytest.skip("apt-get download: " + done.stderr.strip().splitlines()[-1])
        for deb in glob.glob(making + "/*.deb"):
            subprocess.run(["dpkg", "-x", deb, making + "/root"], check=True)
        source = making + "/fam.c"
        with open(source, "w", encoding="ascii") as f:
            f.write(NO_FAM)
        subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-o", making + "/root/usr/lib/libfam.so.0", source], check=True)
        subprocess.run(["chmod", "-R", "a+rX", making], check=True)
        os.rename(making + "/root", root)
        shutil.rmtree(making)


class Peer(Imap):
    """A server of another project, logged in, on home/Maildir. Names are given and shown as "INBOX.x", in modified UTF-7."""

    prefix = ""

    def __init__(self, home):
        self.home = str(home)
        argv, env = self.command(unpacked())
        self.sock, theirs = socket.socketpair()
        self.sock.settimeout(30)
        with open(self.home + "/%s.log" % type(self).__name__, "ab") as log:
            self.process = subprocess.Popen([*AS_OWNER, *argv], stdin=theirs, stdout=theirs, stderr=log,
                                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.home, **env})
        theirs.close()
        self.timeout, self.number, self.buffer = 30, 0, b""
        line = self.read_line()
        while b"PREAUTH" not in line:
            line = self.read_line()
        self.greeting = line

    def close(self):
        if self.process is None:
            return
        self.cmd("LOGOUT")
        self.sock.close()
        self.process.wait(15)
        self.process = None

    def append(self, folder, message, flags="", date=""):
        tag = self.start("APPEND %s (%s) {%d}" % (folder, flags, len(message)))
        assert self.read_line().startswith(b"+")
        self.send(message + b"\r\n")
        return self.finish(tag)

    def name(self, folder):
        return folder


class Courier(Peer):
    def command(self, root):
        libs = ["%s/usr/lib/%s" % (root, d) for d in ("x86_64-linux-gnu", "aarch64-linux-gnu", "")]
        return ([root + "/usr/bin/imapd", self.home + "/Maildir"],
                {"LD_LIBRARY_PATH": ":".join(libs), "AUTHENTICATED": "demo", "MAILDIR": self.home + "/Maildir",
                 "IMAP_KEYWORDS": "1", "IMAP_USELOCKS": "1", "IMAP_ENHANCEDIDLE": "0", "HOSTNAME": "localhost"})


class Dovecot(Peer):
    location = "maildir:~/Maildir"

    def command(self, root):
        settings = {"mail_location": self.location, "log_path": self.home + "/dovecot.log", "base_dir": self.home + "/run",
                    "stats_writer_socket_path": "", "first_valid_uid": "1", "first_valid_gid": "1",
                    "mail_plugin_dir": root + "/usr/lib/dovecot/modules"}
        options = [w for k, v in settings.items() for w in ("-o", "%s=%s" % (k, v))]
        return ([root + "/usr/lib/dovecot/imap", "-O", *options],
                {"LD_LIBRARY_PATH": root + "/usr/lib/dovecot", "USER": "demo"})

    def name(self, folder):
        return folder[6:] if folder.startswith("INBOX.") else folder


class DovecotUtf8(Dovecot):
    """As it must be set where Courier 5 made the folders."""
    location = "maildir:~/Maildir:UTF-8"


class Posthouse(Shell):
    def __init__(self, home, **settings):
        super().__init__(str(home) + "/Maildir", prefix=AS_OWNER, conf="/dev/null", **settings)

    def name(self, folder):
        return folder


def folders(client):
    """"INBOX.x" of each folder that can be selected."""
    found = set()
    for m in client.ok('LIST "" "*"').all(rb'\* LIST \(([^)]*)\) \S+ "?([^"]*?)"?$'):
        if b"noselect" not in m.group(1).lower() and b"nonexistent" not in m.group(1).lower():
            name = m.group(2).decode()
            found.add(name if name == "INBOX" or not client.name("INBOX.x") == "x" else "INBOX." + name)
    return found


def subscribed(client):
    """Without INBOX, which Courier always has among them."""
    names = {m.group(1).decode() for m in client.ok('LSUB "" "*"').all(rb'LSUB \([^)]*\) \S+ "?([^"]*?)"?$')}
    return {n if client.name("INBOX.x") != "x" else "INBOX." + n for n in names - {"INBOX"}}


def select(client, folder):
    """UIDVALIDITY"""
    reply = client.ok('SELECT "%s"' % client.name(folder))
    return int(re.search(rb"UIDVALIDITY (\d+)", b" ".join(reply.untagged)).group(1))


def messages(client):
    """UID -> (flags and keywords, subject), of the folder that is selected."""
    reply = client.ok("UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    out = {}
    for m in reply.all(rb"UID (\d+)"):
        line = m.string
        flags = re.search(rb"FLAGS \(([^)]*)\)", line).group(1).split()
        out[int(m.group(1))] = (frozenset(f for f in flags if f != b"\\Recent"),
                                re.search(rb"Subject: ?(\S+)", line).group(1))
    return out


def everything(client):
    """What a client keeps: folder -> (UIDVALIDITY, messages); and the subscriptions."""
    state = {}
    for folder in sorted(folders(client)):
        uidvalidity = select(client, folder)
        state[folder] = (uidvalidity, messages(client))
    return state, subscribed(client)


def look(kind, home):
    client = kind(home)
    try:
        return everything(client)
    finally:
        client.close()


def make_home():
    """A home with an empty Maildir that the mail's owner may use; the caller removes it."""
    home = tempfile.mkdtemp(prefix="migrate.")
    for sub in ("", "/run", "/Maildir", "/Maildir/cur", "/Maildir/new", "/Maildir/tmp"):
        os.makedirs(home + sub, exist_ok=True)
        os.chmod(home + sub, 0o755)
        if ROOT:
            os.chown(home + sub, MAIL_UID, MAIL_UID)
    return home


def deliver(home, subject, folder=""):
    """Into new/, as a delivery agent does."""
    deliver.count = getattr(deliver, "count", 0) + 1
    maildir = os.path.join(home, "Maildir", folder)
    name = "%d.M%06dP%d.test" % (1700000000 + deliver.count, deliver.count, os.getpid())
    tmp = os.path.join(maildir, "tmp", name)
    with open(tmp, "w", encoding="ascii") as f:
        f.write("From: a@example.com\nSubject: %s\n\nbody of %s\n" % (subject, subject))
    if ROOT:
        os.chown(tmp, MAIL_UID, MAIL_UID)
    os.rename(tmp, os.path.join(maildir, "new", name))
    return name


def ctl(*args, status=0):
    done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", "/dev/null", *args], capture_output=True, text=True, check=False,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == status, "%d\n%s%s" % (done.returncode, done.stdout, done.stderr)
    return done.stdout + done.stderr
