# SPDX-License-Identifier: Apache-2.0
"""Courier's own settings files, as Debian's packages have them (X11, R10, R39, R42 to R44, R54, R71, R104), merging new
settings (R41), where settings come from, and ports that are taken (R48, R50)."""
import os
import re
import shutil
import socket
import stat
import subprocess

import pytest

from lib.authdaemon import PRESENT, AuthDaemon
from lib.debian import unpacked
from lib.imap import Imap
from lib.server import BIN, MAIL_UID, ROOT, Server, free_port, has_ipv6, wait_for

FILES = ("imapd", "imapd-ssl", "pop3d", "pop3d-ssl", "authdaemonrc")


@pytest.fixture(scope="module")
def debian():
    return os.path.join(unpacked("courier-imap", "courier-pop", "courier-base", "courier-authdaemon", "courier-authlib"),
                        "etc", "courier")


def edit(path, **values):
    """Values of names that the file has; nothing else changes."""
    with open(path, encoding="ascii") as f:
        text = f.read()
    for name, value in values.items():
        text, n = re.subn("^%s=.*$" % name, lambda _: "%s=%s" % (name, value), text, flags=re.M)
        assert n == 1, (path, name, n)
    with open(path, "w", encoding="ascii") as f:
        f.write(text)


def append(path, text):
    with open(path, "a", encoding="ascii") as f:
        f.write(text)


class Site(Server):
    """Debian's files, with other ports and paths; ours has only what Courier doesn't know."""

    OURS = ("RUNDIR", "CACHEDIR", "LOGIN_USER", "AUTH_USER", "NOTIFY_USER", "LOGIN_WORKERS")

    def __init__(self, debian, **settings):
        super().__init__(**settings)
        self.courier = os.path.join(self.dir, "courier")
        os.mkdir(self.courier, 0o755)
        for name in FILES:
            shutil.copy(os.path.join(debian, name), self.courier)
        self.pid, self.sslpid = self.dir + "/imapd.pid", self.dir + "/imapd-ssl.pid"
        edit(self.courier + "/imapd", PORT=self.port, ADDRESS="127.0.0.1", PIDFILE=self.pid)
        edit(self.courier + "/imapd-ssl", SSLPORT=self.sslport, SSLADDRESS="127.0.0.1", SSLPIDFILE=self.sslpid,
             TLS_CERTFILE=self.settings["TLS_CERTFILE"])
        self.settings = {k: v for k, v in self.settings.items() if k in self.OURS or k in settings}
        self.settings["COURIER_CONFIG"] = self.courier
        self.write_settings()

    def print(self, *args, file=None):
        done = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", file or self.conf, *args], capture_output=True,
                              timeout=20)
        return done.stdout.decode(), done.stderr.decode(), done.returncode


@pytest.fixture
def site(debian):
    made = []

    def make(**settings):
        s = Site(debian, **settings)
        made.append(s)
        return s
    yield make
    for s in made:
        s.stop()


def passwd(s):
    """Accounts of a passwd-file, where courier-authlib isn't what is tested."""
    append(s.conf, "AUTHMODULES=passwd-file\nPASSWD_FILE=%s\nMAIL_UID=%d\nMAIL_HOME=%s/%%u\n" % (s.passwd, MAIL_UID, s.mail))
    return s


@pytest.mark.skipif(not PRESENT, reason="needs root and courier-authdaemon")
def test_a_courier_site_moves(site):
    """Accounts, ports, TLS and limits of Courier's files, no edit but paths and ports."""
    s = site()
    d = AuthDaemon(options="wbnodsn=1")
    try:
        os.chmod(d.dir, 0o755)
        d.add("demo", b"demo", uid=MAIL_UID, gid=MAIL_UID, home=s.mail + "/demo")
        d.make().start()
        edit(s.courier + "/authdaemonrc", authdaemonvar=os.path.dirname(d.socket))
        s.make_maildir()
        s.deliver()
        s.start()
        with Imap(s.port) as c:
            before = c.cmd("CAPABILITY").untagged[0]
            # IMAP_CAPABILITY has no AUTH=, IMAP_TLS_REQUIRED=0 lets LOGIN be
            assert b"STARTTLS" in before and b"AUTH=" not in before and b"LOGINDISABLED" not in before
            c.login()
            assert c.cmd("SELECT INBOX").find(r"^\* 1 EXISTS")
            after = c.cmd("CAPABILITY").untagged[0]
            assert b"UIDPLUS" in after and b"CONDSTORE" not in after and b"MOVE" not in after
        with Imap(s.port) as c:
            c.ok("STARTTLS")
            c.start_tls()
            assert b"AUTH=PLAIN" in c.cmd("CAPABILITY").untagged[0]
            c.login()
        with Imap(s.sslport, tls=True) as c:
            assert b"AUTH=PLAIN" in c.cmd("CAPABILITY").untagged[0]
            c.login()
            assert c.cmd("SELECT INBOX").find(r"^\* 1 EXISTS")
        frontend = s.processes["frontend"].pid
        for path in (s.pid, s.sslpid):
            with open(path, encoding="ascii") as f:
                assert f.read() == "%d\n" % frontend
            assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
        if "-san" not in BIN:  # IMAP_ULIMITD=131072, as in the file
            with open("/proc/%d/limits" % s.imapds(s.maildir())[0], encoding="ascii") as f:
                assert re.search(r"Max data size +134217728 +134217728 ", f.read())
        log = s.log()
        for name in ("SSLLOGGEROPTS", "COURIERTLS", "TLS_DHPARAMS", "TLS_CACHEFILE", "TLS_CACHESIZE", "LOGGEROPTS", "IMAP_ACL",
                     "IMAP_CAPABILITY_ORIG", "IMAP_SHAREDINDEXFILE"):
            assert re.search(r"courier/imapd(-ssl)?:\d+: %s is ignored: " % name, log), name
        assert log.count("POP3 is not served yet") >= 1 and "courier/pop3d:" in log
        out, err, code = s.print("settings")
        assert code == 0 and "AUTHLIB_SOCKET=%s # %s/authdaemonrc:" % (d.socket, s.courier) in out
        assert re.search(r"^MAXDAEMONS=40 # .*/courier/imapd:\d+$", out, re.M) and "RUNDIR=%s # %s:" % (s.run, s.conf) in out
        s.stop_one("frontend")
        assert not os.path.exists(s.pid) and not os.path.exists(s.sslpid)
    finally:
        d.close()


def refused(port, tls):
    """Whether one more connection gets no greeting."""
    try:
        with Imap(port, tls=tls) as c:
            return b"BYE" in c.greeting
    except (EOFError, OSError):
        return True


def test_each_port_has_its_own(site):
    """The same name in both files: imapd's for 143, imapd-ssl's for 993"""
    s = passwd(site())
    edit(s.courier + "/imapd", MAXPERIP=2)
    append(s.courier + "/imapd-ssl", 'MAXPERIP=4\nIMAP_CAPABILITY_TLS="$IMAP_CAPABILITY AUTH=LOGIN"\nMAXDAEMONS=41\n')
    s.start()
    wait_for("the count of connections", lambda: not refused(s.port, False))
    with Imap(s.port) as a, Imap(s.sslport, tls=True) as b, Imap(s.sslport, tls=True) as c:
        assert refused(s.port, False)
        assert b"AUTH=LOGIN" in b.cmd("CAPABILITY").untagged[0] and b"AUTH=PLAIN" not in c.cmd("CAPABILITY").untagged[0]
        a.ok("STARTTLS")
        a.start_tls()
        assert b"AUTH=PLAIN" in a.cmd("CAPABILITY").untagged[0]
        b.login()
    # one setting for both: that of 143, and both places are named
    assert re.search(r"courier/imapd:\d+: MAXDAEMONS=40 is for port 143 and MAXDAEMONS=41 of .*/imapd-ssl:\d+ for 993", s.log())


def test_a_port_that_courier_did_not_open(site):
    s = passwd(site())
    edit(s.courier + "/imapd", IMAPDSTART="NO")
    s.start_one("notifyd")
    s.start_one("backend")
    s.start_one("frontend")

    def answers():
        try:
            with Imap(s.sslport, tls=True) as c:
                return c.cmd("LOGIN demo demo").ok
        except (OSError, EOFError):
            return False
    wait_for("993", answers)
    with pytest.raises(ConnectionRefusedError), Imap(s.port):
        pass
    assert "IMAPDSTART=NO: nothing is served on PORT" in s.log()
    assert not os.path.exists(s.pid) and os.path.exists(s.sslpid)


def run(program, *args):
    return subprocess.run([os.path.join(BIN, program), *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)


def test_directory_instead_of_a_file(site):
    """-C DIRECTORY, or one of its files, in all programs; posthouse.conf isn't read then"""
    s = site()
    for path in (s.courier, s.courier + "/imapd", s.courier + "/imapd-ssl"):
        for program in ("frontend", "backend", "notifyd", "imapd"):
            done = run(program, "-C", path, "--print-settings")
            assert done.returncode == 0 and b"\nMAXDAEMONS=40\n" in done.stdout, (program, done)
            assert b"\nRUNDIR=/run/posthouse\n" in done.stdout and b"\nAUTHMODULES=authlib\n" in done.stdout
    done = run("notifyd", "-C", s.courier, "--set", "RUNDIR=/x", "--print-settings=origin")
    assert b"RUNDIR=/x # --set\n" in done.stdout and b"MAXSESSIONS" not in done.stdout
    assert run("notifyd", "-C", s.courier, "--print-settings=where").returncode > 0
    out, err, code = s.print("settings", "--all")
    assert code == 0 and "MAXSESSIONS=" in out
    # as a file of ours it means the same
    changed = s.dir + "/changed.conf"
    with open(changed, "w", encoding="ascii") as f:
        f.write("".join(line + "\n" for line in s.print("settings")[0].splitlines() if not line.startswith("COURIER_CONFIG=")))
    assert s.print("settings", "--all", file=changed)[0] == re.sub("(?m)^COURIER_CONFIG=.*$", "COURIER_CONFIG=", out)
    out, err, code = s.print("check")
    assert re.search(r"ok +MAXDAEMONS +40 \(.*/courier/imapd:\d+; default 10000\)", out)


@pytest.mark.parametrize("name, content, says", [
    ("imapd", b"\x7fELF\x02\x01\0\0" + bytes(range(256)), "a control character"),
    ("imapd", b"PORT=143\nif true; then PORT=144; fi\n", ":2: "), ("imapd-ssl", b"PORT=`id`\n", ":1: "),
    ("imapd", b"MAXPERIP=many\n", ":1: MAXPERIP=many"), ("imapd", b"A=xxxxxxxxxxxxxxxx\n" + b"A=$A$A\n" * 40, "too long"),
    ("imapd", b"IMAP_PROXY=1\n", ":1: IMAP_PROXY=1"), ("pop3d", b"PORT=(\n", ":1: "),
    ("imapd", 1 << 30, "larger than"), ("imapd", "dir", "not a regular file"), ("imapd-ssl", "fifo", "not a regular file")],
    ids=lambda x: repr(x)[:14])
def test_files_at_fault(site, name, content, says):
    """B71: the message names file and line, nothing starts, and it takes no time and memory"""
    s = site()
    path = os.path.join(s.courier, name)
    os.unlink(path)
    if isinstance(content, bytes):
        with open(path, "wb") as f:
            f.write(content)
    elif content == "dir":
        os.mkdir(path)
    elif content == "fifo":
        os.mkfifo(path)
    else:
        with open(path, "wb") as f:
            f.truncate(content)
    for program in ("frontend", "notifyd"):
        done = run(program, "-C", s.conf, "--check")
        assert done.returncode == 1 and path.encode() in done.stderr and says.encode() in done.stderr, done
        assert len(done.stderr) < 20000


@pytest.mark.skipif(ROOT and os.access("/etc/shadow", os.R_OK) and not shutil.which("setpriv"), reason="needs setpriv")
def test_unreadable(site):
    s = site()
    os.chmod(s.courier + "/imapd", 0)
    os.chmod(s.conf, 0o644)
    drop = ["setpriv", "--reuid=61901", "--regid=61901", "--clear-groups"] if ROOT else []
    done = subprocess.run([*drop, os.path.join(BIN, "notifyd"), "-C", s.conf, "--check"], capture_output=True, timeout=20)
    assert done.returncode == 1 and b"courier/imapd: Permission denied" in done.stderr


def test_secrets(tmp_path):
    """B71: told where everybody can read one, shown nowhere"""
    conf = tmp_path / "posthouse.conf"
    conf.write_text("HTTP_AUTH_HEADERS='X-Secret: hush'\n")
    conf.chmod(0o644)
    done = run("posthousectl", "-C", str(conf), "settings")
    assert b"%s:1: everybody may read the file, and HTTP_AUTH_HEADERS is a secret" % str(conf).encode() in done.stderr
    assert b"HTTP_AUTH_HEADERS=(secret)" in done.stdout and b"hush" not in done.stdout + done.stderr
    conf.chmod(0o640)
    done = run("posthousectl", "-C", str(conf), "settings")
    assert b"everybody" not in done.stderr
    done = run("posthousectl", "-C", str(conf), "check")
    assert b"HTTP_AUTH_HEADERS" in done.stdout and b"hush" not in done.stdout + done.stderr


def test_merge(tmp_path):
    """R41: upgrade twice with a changed value: the value stays, new names appear, the file before is kept"""
    conf = tmp_path / "real.conf"
    link = tmp_path / "posthouse.conf"
    link.symlink_to(conf)
    before = "# ours\nMAXPERIP=7 # webmail\nA_SETTING_OF_BEFORE=1\n"
    conf.write_text(before)
    conf.chmod(0o640)
    assert run("notifyd", "-C", str(link), "--check").returncode == 1
    done = run("posthousectl", "merge-settings", str(link))
    assert done.returncode == 0 and b" 1 set, " in done.stdout and b" 1 gone; " in done.stdout
    merged = conf.read_text()
    assert "# ours\nMAXPERIP=7 # webmail\n" in merged and "\n# not a setting of this version: A_SETTING_OF_BEFORE=1\n" in merged
    assert "\n#RUNDIR=/run/posthouse\n" in merged
    assert (tmp_path / "real.conf.bak").read_text() == before and link.is_symlink()
    assert stat.S_IMODE(conf.stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "real.conf.bak").stat().st_mode) == 0o640
    inode = conf.stat().st_ino
    done = run("posthousectl", "merge-settings", str(link))
    assert done.returncode == 0 and conf.read_text() == merged and conf.stat().st_ino == inode
    assert (tmp_path / "real.conf.bak").read_text() == before
    done = run("notifyd", "-C", str(link), "--print-settings=origin")
    assert done.stdout.decode() == "MAXPERIP=7 # %s:2\n" % link or b"MAXPERIP=7 #" in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["posthouse.conf", "real.conf", "real.conf.bak"]
    for bad in (str(tmp_path), str(tmp_path / "none"), "/dev/zero"):
        assert run("posthousectl", "merge-settings", bad).returncode == 1
    assert run("posthousectl", "merge-settings").returncode == 2


def test_pid_file_of_another(server):
    """Courier itself runs on other ports meanwhile: its file is left alone. One that a crash left is written anew."""
    gone = subprocess.Popen(["true"])
    gone.wait()
    for pid, ours in ((os.getpid(), False), (gone.pid, True), ("x", True)):
        s = server()
        path = s.dir + "/pid"
        s.settings["PIDFILE"] = path
        s.write_settings()
        with open(path, "w", encoding="ascii") as f:
            f.write("%s\n" % pid)
        s.start()
        frontend = s.processes["frontend"].pid
        with open(path, encoding="ascii") as f:
            assert f.read() == "%s\n" % (frontend if ours else pid)
        assert ("it names another process" in s.log()) != ours
        s.stop_one("frontend")
        assert os.path.exists(path) != ours


@pytest.mark.parametrize("address", ["127.0.0.1", "0", pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="no IPv6"))])
def test_port_is_taken(server, address):
    """R48: the message names address and port"""
    s = server(ADDRESS=address)
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as taken:
        taken.bind(("::1" if ":" in address else "127.0.0.1", s.port))
        taken.listen()
        done = subprocess.run([os.path.join(BIN, "frontend"), "-C", s.conf], capture_output=True, timeout=20)
    assert done.returncode == 1
    where = "port %d (all addresses)" % s.port if address == "0" else "%s port %d" % (address, s.port)
    assert where in done.stderr.decode() and "Address already in use" in done.stderr.decode()


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6")
def test_all_addresses(server):
    """R50: ADDRESS=0 is IPv4 and IPv6, and a list may name single ones"""
    third = free_port()
    s = server(ADDRESS="0")
    s.settings["PORT"] = "%d,127.0.0.2.%d" % (s.port, third)
    s.write_settings()
    s.start()
    for address, port in (("127.0.0.1", s.port), ("::1", s.port), ("127.0.0.2", third)):
        with socket.create_connection((address, port), timeout=20) as c:
            assert c.recv(100).startswith(b"* OK")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", third), timeout=5)
