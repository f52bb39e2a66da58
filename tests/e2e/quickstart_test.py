# SPDX-License-Identifier: Apache-2.0
"""deploy/quickstart.sh as somebody uses it who has just cloned the project."""
import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

from lib.imap import Imap
from lib.server import BIN, ROOT, TOP, free_port, wait_for

SCRIPT = os.path.join(TOP, "deploy", "quickstart.sh")
pytestmark = pytest.mark.skipif("POSTHOUSE_BIN" in os.environ, reason="quickstart.sh runs its own build")


def descendants(pid):
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as f:
            parents[int(entry)] = int(f.read().rsplit(")", 1)[1].split()[1])
    found, grown = {pid}, True
    while grown:
        more = {p for p, up in parents.items() if up in found} - found
        grown = bool(more)
        found |= more
    return found - {pid}


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid, encoding="utf-8", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


class Quickstart:
    def __init__(self, directory, *args, cwd=TOP):
        self.imap, self.imaps = free_port(), free_port()
        self.out = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [SCRIPT, "--no-install", "--dir", directory, "--imap", str(self.imap), "--imaps", str(self.imaps), *args],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.STDOUT, cwd=cwd, start_new_session=True)

    def text(self):
        self.out.seek(0)
        return self.out.read()

    def wait_line(self, pattern, seconds=60):
        def look():
            found = re.search(pattern, self.text(), re.M)
            assert found or self.process.poll() is None, self.text()
            return found
        return wait_for(pattern, look, seconds)

    def ready(self):
        self.wait_line(r"^ready: ")
        return self

    def stop(self, sig=signal.SIGTERM):
        """The exit status; nothing that it started is left."""
        children = descendants(self.process.pid)
        begin = time.monotonic()
        self.process.send_signal(sig)
        status = self.process.wait(20)
        assert time.monotonic() - begin < 10
        wait_for("the end of all descendants", lambda: not any(map(alive, children)), 3)
        return status


@pytest.fixture
def home():
    made = tempfile.mkdtemp(prefix="ph-quick.")
    yield os.path.join(made, "a dir")
    shutil.rmtree(made)


@pytest.fixture
def quickstart(home):
    started = []

    def make(*args, **more):
        q = Quickstart(home, *args, **more)
        started.append(q)
        return q
    yield make
    for q in started:
        if q.process.poll() is None:
            q.stop(signal.SIGTERM)


def ctl(home, *args, **more):
    return subprocess.run([os.path.join(BIN, "posthousectl"), "-C", home + "/etc/posthouse.conf", *args],
                          capture_output=True, text=True, timeout=30, **more)


def test_first_run_shows_the_main_job(home, quickstart):
    q = quickstart()
    q.wait_line(r"^demo: .*'\* 1 EXISTS' after \d+\.\d ms$")
    assert ("ready: imap 127.0.0.1:%d imaps 127.0.0.1:%d user demo password demo\n" % (q.imap, q.imaps)) in q.text()
    assert os.listdir(home + "/mail/demo/Maildir/cur") or os.listdir(home + "/mail/demo/Maildir/new")
    with Imap(q.imaps, tls=True) as c:
        c.login("demo")
        who = ctl(home, "who")
        assert who.returncode == 0 and "demo" in who.stdout
        check = ctl(home, "check")
        assert check.returncode == 0, check.stdout
    assert q.stop() == 0


def test_settings_and_mail_stay(home, quickstart):
    q = quickstart("--no-demo").ready()
    with Imap(q.imap) as c:
        c.login("demo")
        assert c.append("INBOX", "Subject: kept\r\n\r\nbody\r\n").ok
    assert "EXISTS" not in q.text()
    assert q.stop(signal.SIGINT) == 0
    added = ctl(home, "passwd", "alice", input="wonder\n")
    assert added.returncode == 0, added.stderr
    with open(home + "/etc/posthouse.conf", "a", encoding="utf-8") as f:
        f.write("IMAP_CAPABILITY=\"IMAP4rev1 IDLE\"\n")
    q = quickstart("--no-demo").ready()
    with Imap(q.imap) as c:
        c.login("demo")
        assert c.ok("CAPABILITY").find(r"^\* CAPABILITY IMAP4rev1 IDLE$")
        assert c.ok("SELECT INBOX").find(r"\* 1 EXISTS")
        assert b"Subject: kept" in c.ok("FETCH 1 BODY.PEEK[]").untagged[0]
    with Imap(q.imap) as c:
        c.login("alice", "wonder")
    assert q.stop() == 0


def test_demo_has_another_password(home, quickstart):
    q = quickstart("--no-demo").ready()
    changed = ctl(home, "passwd", "demo", input="another\n")
    assert changed.returncode == 0, changed.stderr
    assert q.stop() == 0
    q = quickstart().ready()
    assert "demo with the password demo is refused (AUTHMODULES=passwd-file)" in q.text()
    with Imap(q.imap) as c:
        c.login("demo", "another")
    assert q.stop() == 0


def test_killed_daemons_come_back(home, quickstart):
    q = quickstart("--no-demo").ready()
    for name in ("notifyd", "backend", "frontend"):
        victim = subprocess.run(["pgrep", "-f", "%s/%s -C %s/etc" % (os.path.join(TOP, "build/gcc/bin"), name, home)],
                                capture_output=True, text=True, check=True).stdout.split()
        os.kill(int(victim[0]), signal.SIGKILL)

    def logs_in():
        with contextlib.suppress(OSError, EOFError), Imap(q.imap, timeout=5) as c:
            return c.cmd("LOGIN demo demo").ok
        return False
    wait_for("a login", logs_in, 30)
    assert q.stop() == 0


def test_accounts_of_a_given_file(home, quickstart):
    os.makedirs(home + "/mail/bob/Maildir/new")
    for sub in ("cur", "tmp"):
        os.mkdir(home + "/mail/bob/Maildir/" + sub)
    with open(home + "/mail/bob/Maildir/new/1.a.b", "w", encoding="ascii") as f:
        f.write("Subject: was there before\n\nbody\n")
    with open(os.path.dirname(home) + "/accounts", "w", encoding="ascii") as f:
        f.write("bob:{PLAIN}builder::::::\n")
    os.chmod(f.name, 0o600)
    q = quickstart("--passwd", "../" + os.path.basename(os.path.dirname(home)) + "/accounts",
                   "--set", "IMAPD_LINGER=1", cwd=os.path.dirname(home)).ready()
    assert re.search("^ready: imap 127.0.0.1:%d imaps 127.0.0.1:%d$" % (q.imap, q.imaps), q.text(), re.M)
    with Imap(q.imap) as c:
        c.login("bob", "builder")
        assert c.ok("SELECT INBOX").find(r"\* 1 EXISTS")
    assert q.stop() == 0


@pytest.mark.parametrize("args,says", [
    (["--set", "IMAPD_LINGR=1"], "unknown setting IMAPD_LINGR; is IMAPD_LINGER meant"),
    (["--set", "IMAPD_LINGER"], "--set wants NAME=value"),
    (["--imap", "0x10"], "not a port"),
    (["--imaps", "70000"], "not a port"),
    (["--passwd", "/nonexistent"], "/nonexistent can't be read"),
    (["--frobnicate"], "unknown option '--frobnicate'"),
])
def test_mistakes_start_nothing(home, quickstart, args, says):
    q = quickstart(*args)
    assert q.process.wait(60) == 1
    assert says in q.text()
    assert not os.path.exists(home + "/log")
    assert not descendants(q.process.pid)


def test_taken_port_is_named(quickstart):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        q = quickstart("--imap", str(s.getsockname()[1]))
        assert q.process.wait(60) == 1
        assert "port %d is taken" % s.getsockname()[1] in q.text()


def test_one_at_a_time_in_a_dir(quickstart):
    q = quickstart("--no-demo").ready()
    second = quickstart()
    assert second.process.wait(60) == 1
    assert "another quickstart.sh runs in" in second.text()
    assert q.stop() == 0


def test_long_names(home, quickstart):
    deep = os.path.join(home, "x" * 60, "y" * 60)
    q = Quickstart(deep)
    q.wait_line(r"^demo: .* EXISTS' after \d+\.\d ms$")
    assert q.stop() == 0


def open_to_all(path):
    return path == "/" or (os.stat(path).st_mode & 0o1 and open_to_all(os.path.dirname(path)))


@pytest.mark.skipif(not ROOT, reason="starts as root, to become somebody else")
@pytest.mark.skipif(not open_to_all(TOP), reason="nobody else can read this tree")
def test_ordinary_user(home):
    os.mkdir(home)
    os.chmod(os.path.dirname(home), 0o711)
    os.chown(home, 61950, 61950)
    imap, imaps = free_port(), free_port()
    done = subprocess.run(
        ["timeout", "--signal=INT", "--foreground", "12", "setpriv", "--reuid=61950", "--regid=61950", "--clear-groups",
         "env", "HOME=" + home, SCRIPT, "--no-install", "--imap", str(imap), "--imaps", str(imaps)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, cwd="/", check=False)
    assert "ready: imap 127.0.0.1:%d imaps 127.0.0.1:%d user demo password demo\n" % (imap, imaps) in done.stdout
    assert re.search(r"^demo: .*'\* 1 EXISTS' after \d+\.\d ms$", done.stdout, re.M), done.stdout + done.stderr
    assert os.path.isdir(home + "/.posthouse/mail/demo/Maildir/cur")


def test_help():
    done = subprocess.run([SCRIPT, "--help"], capture_output=True, text=True, timeout=10, check=True)
    assert done.stdout.startswith("usage: deploy/quickstart.sh [--dir DIR]")
