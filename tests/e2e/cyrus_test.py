# SPDX-License-Identifier: Apache-2.0
"""Cyrus's imapd: its options, its files below the configuration directory, and imapd under an inetd."""
import contextlib
import os
import re
import shutil
import socket
import subprocess

import pytest

from lib.imap import Imap
from lib.inetd import Inetd
from lib.server import BIN, MAIL_UID, ROOT, Server, free_port, wait_for
from lib.shell import Shell

LINE = 'imap cmd="imapd %s" listen="imap" prefork=0'
as_nobody = ("setpriv", "--reuid=61904", "--clear-groups") if ROOT else ()


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Cyrus's configuration directory."""
    path = tmp_path_factory.mktemp("imap")
    path.chmod(0o755)
    for name in ("msg", "log"):
        (path / name).mkdir(mode=0o755)
    return path


@pytest.fixture(scope="module")
def cyrus(config):
    server = Server(users=("demo", "boss", "ann"), CYRUS_DIR=config, CYRUS_ADMINS='"root boss"', TELEMETRY_MAX=20000,
                    IMAPD_LINGER=0).start()
    yield server
    server.stop()


@contextlib.contextmanager
def message(config, name, text):
    """The file is there while the block runs."""
    path = config / "msg" / name
    temporary = config / name
    temporary.write_bytes(text)
    temporary.rename(path)
    try:
        yield path
    finally:
        path.unlink()


def run(program, *args, **more):
    return subprocess.run([os.path.join(BIN, program), *args], capture_output=True, text=True, timeout=30, check=False,
                          stdin=subprocess.DEVNULL, **more)


# ---- options, one by one -----------------------------------------------------------------------------------
@pytest.mark.parametrize("program, args, lines", [
    ("backend", ["-U", "30"], ["IMAPD_USES=30"]),
    ("backend", ["-U30", "-T5"], ["IMAPD_USES=30", "IMAPD_LINGER=5"]),
    ("backend", ["-T", "0"], ["IMAPD_LINGER=4294967295"]),
    ("frontend", ["-p", "2", "-s"], ["EXTERNAL_SSF=2", "PORT="]),
    ("frontend", ["-N"], ["AUTH_PASSWORD_CHECK=0"]),
    ("imapd", ["-U", "30", "-T", "60", "-C", "/dev/null"], ["IMAPD_USES=30", "IMAPD_LINGER=60"]),
])
def test_options_are_settings(program, args, lines):
    done = run(program, *args, "--print-settings")
    assert done.returncode == 0, done.stderr
    for line in lines:
        assert re.search("^%s$" % re.escape(line), done.stdout, re.M), done.stdout


@pytest.mark.parametrize("program, args, why", [
    ("backend", ["-U"], "-U needs a value"),
    ("backend", ["-U", "-1"], "IMAPD_USES=-1"),
    ("backend", ["-T", "soon"], "IMAPD_LINGER=soon"),
    ("backend", ["-s"], "invalid option"),
    ("frontend", ["-p", "many"], "EXTERNAL_SSF=many"),
    ("frontend", ["-p", "257"], "EXTERNAL_SSF=257"),
    ("frontend", ["-s7"], "-s takes no value"),
    ("imapd", ["-U"], "-U needs a value"),
    ("imapd", ["-T", "x"], "IMAPD_LINGER=x"),
    ("imapd", ["-C", "/nonexistent", "."], "/nonexistent"),
    ("imapd", ["-p", "x"], "-p needs a number"),
    ("imapd", ["-p"], "-p needs a number"),
    ("imapd", ["-sN"], "separated by blanks"),
    ("imapd", ["-s", "."], "-s is for a network socket"),
    ("imapd", ["-N", "."], "-N is for a network socket"),
    ("imapd", ["-D", "."], "DEBUG_COMMAND is not set"),
    ("imapd", ["-H", "."], "invalid option"),
])
def test_bad_options_end_it_with_a_word(program, args, why):
    done = run(program, *args)
    assert done.returncode in (1, 2)
    assert why in done.stderr


def make_maildir(path):
    for sub in ("cur", "new", "tmp"):
        (path / "Maildir" / sub).mkdir(parents=True)
    return path / "Maildir"


@pytest.mark.skipif(not ROOT, reason="needs another user to be")
def test_debugger_not_as_root(tmp_path):
    done = run("imapd", "-D", "--set", "DEBUG_COMMAND=touch %s/ran" % tmp_path, str(make_maildir(tmp_path)))
    assert done.returncode == 2 and "not as root" in done.stderr and not (tmp_path / "ran").exists()


def test_debugger(server):
    s = server()
    box, out = s.make_maildir(), os.path.join(s.mail, "ran")
    conf = os.path.join(s.dir, "debug.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("DEBUG_COMMAND='echo %%3$s %%2$d %%1$s %%%% > %s; cat'\n" % out)
    os.chmod(conf, 0o644)
    me = ("setpriv", "--reuid=%d" % MAIL_UID, "--regid=%d" % MAIL_UID, "--clear-groups") if ROOT else ()
    done = subprocess.run([*me, os.path.join(BIN, "imapd"), "-D", "-C", conf, box], input=b"a NOOP\r\nb LOGOUT\r\n",
                          capture_output=True, timeout=30, check=False)
    assert done.stdout.startswith(b"* PREAUTH") and b"a OK" in done.stdout, done
    with open(out, encoding="utf-8") as f:
        assert re.match(r"imapd \d+ /.*/imapd %$", f.read())


# ---- -U, -T ------------------------------------------------------------------------------------------------
def test_process_is_replaced_after_its_uses(server):
    s = server(IMAPD_USES=3, IMAPD_LINGER=4294967295, users=("demo", "ann"))
    s.start()

    def login():
        return Imap(s.port).login("ann")

    def pids():
        return s.imapds(s.maildir("ann"))
    with login() as c:
        first = pids()
        c.ok("LOGOUT")
    assert len(first) == 1
    with login() as c:
        assert pids() == first
        c.ok("LOGOUT")
    for _ in range(10):  # time for it to go, if it were to
        Imap(s.port).login().close()
    with login() as c:
        assert pids() == first, "the third is its own, too"
        c.ok("NOOP")
        c.ok("LOGOUT")
    wait_for("its end", lambda: not pids())
    with login():
        assert pids() and pids() != first
    assert "imapd-crashed" not in s.log() and "imapd-failed" not in s.log()


# ---- -p ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("ssf, allowed", [(0, False), (1, False), (2, True), (256, True)])
def test_outer_layer(server, ssf, allowed):
    s = server(EXTERNAL_SSF=ssf, IMAP_TLS_REQUIRED=1)
    for program in s.PROGRAMS:
        s.start_one(program)
    wait_for("ready", lambda: "ready program=frontend" in s.log())
    with Imap(s.port) as c:
        assert (b"LOGINDISABLED" not in c.greeting) is allowed
        reply = c.cmd("LOGIN demo demo")
        assert reply.ok is allowed
        assert allowed or reply.text.startswith("[PRIVACYREQUIRED]")


# ---- -N ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("address", ["0", "192.0.2.1", "::"])
def test_no_password_check_needs_loopback(server, address):
    s = server(AUTH_PASSWORD_CHECK=0, ADDRESS=address)
    done = run("frontend", "-C", s.conf, "--check")
    assert done.returncode == 1 and "loopback addresses only" in done.stderr


def test_no_password_check(server):
    s = server(AUTH_PASSWORD_CHECK=0)
    s.start()
    assert "ALERT: passwords are not checked" in s.log()
    with Imap(s.port) as c:
        assert c.cmd("LOGIN nobody anything").status == "NO"
        c.ok("LOGIN demo wrong")
    with Imap(s.sslport, tls=True) as c:
        c.ok("LOGIN demo other")


# ---- imapd under inetd -------------------------------------------------------------------------------------
def test_service_line(cyrus):
    with Inetd(LINE % "-U 30", cyrus.conf) as i, Imap(i.port) as c:
        assert c.greeting.startswith(b"* OK [CAPABILITY IMAP4rev1")
        assert c.cmd("LOGIN demo wrong").status == "NO"
        assert c.cmd("SELECT INBOX").status == "BAD", "nobody is logged in"
        c.login()
        c.ok("SELECT INBOX")
        assert i.codes == [0], "it has gone, the session stays"
    assert re.search(r"LOGIN, user=demo, ip=\[127\.0\.0\.1\]", cyrus.log())


def test_service_with_starttls_and_many(cyrus):
    with Inetd(LINE % "", cyrus.conf) as i:
        clients = [Imap(i.port) for _ in range(5)]
        for c in clients:
            c.ok("STARTTLS")
            c.start_tls()
            c.login()
            c.ok("NOOP")
            c.close()


def test_service_with_tls(cyrus):
    with Inetd(LINE % "-s", cyrus.conf) as i, Imap(i.port, tls=True) as c:
        assert b"STARTTLS" not in c.greeting
        c.login()
        c.ok("SELECT INBOX")


def test_service_with_tls_needs_a_certificate(server, tmp_path):
    s = server(SSLPORT="")
    os.unlink(s.settings["TLS_CERTFILE"])
    s.start()
    with open(tmp_path / "errors", "wb+") as errors:
        with Inetd(LINE % "-s", s.conf, errors=errors) as i, Imap(i.port, greeting=False) as c:
            assert c.closed() and c.last == b""
        assert i.codes == [1]
        errors.seek(0)
        assert b"-s: there is no certificate" in errors.read()
    with Inetd(LINE % "", s.conf) as i, Imap(i.port) as c:
        c.login()


def test_service_with_outer_layer(server):
    s = server(IMAP_TLS_REQUIRED=1)
    for program in s.PROGRAMS:
        s.start_one(program)
    wait_for("ready", lambda: "ready program=frontend" in s.log())
    for option, allowed in (("", False), ("-p 1", False), ("-p 56", True)):
        with Inetd(LINE % option, s.conf) as i, Imap(i.port) as c:
            assert (b"LOGINDISABLED" not in c.greeting) is allowed
            assert c.cmd("LOGIN demo demo").ok is allowed


def test_service_without_passwords(cyrus, server, tmp_path):
    with open(tmp_path / "errors", "wb+") as errors:
        with Inetd(LINE % "-N", cyrus.conf, errors=errors) as i, Imap(i.port) as c:
            assert c.greeting.startswith(b"* BYE [UNAVAILABLE]")
        errors.seek(0)
        assert b"the front end checks passwords" in errors.read()
    s = server(AUTH_PASSWORD_CHECK=0)
    s.start()
    with Inetd(LINE % "-N", s.conf) as i, Imap(i.port) as c:
        c.ok("LOGIN demo any")


def test_service_without_its_front_end(server):
    s = server()
    with Inetd(LINE % "", s.conf) as i, Imap(i.port) as c:
        assert c.greeting == b"* BYE [UNAVAILABLE] Temporary problem, please try again later."
        assert c.closed() and c.last == b"", "no word of our settings or log"
    assert i.codes == [1]


def test_service_with_bad_settings_tells_the_client_nothing(cyrus):
    with Inetd(LINE % "--set IMAPD_USES=secret", cyrus.conf) as i, Imap(i.port, greeting=False) as c:
        assert c.closed() and c.last == b""
    assert i.codes == [1]


@pytest.mark.skipif(not ROOT, reason="needs another user to be")
def test_service_as_another_user_is_not_heard(cyrus):
    conf = os.path.join(cyrus.dir, "open.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write("RUNDIR=%s\n" % cyrus.run)
    os.chmod(conf, 0o644)
    with Inetd(LINE % "", conf, prefix=as_nobody) as i, Imap(i.port) as c:
        assert c.greeting.startswith(b"* BYE [UNAVAILABLE]")


@pytest.mark.skipif(not shutil.which("systemd-socket-activate"), reason="no systemd here")
@pytest.mark.parametrize("how", [["--inetd"], []])
def test_systemd(cyrus, how):
    """Accept=yes, with the socket as standard input or as descriptor 3."""
    port = free_port()
    process = subprocess.Popen(["systemd-socket-activate", *how, "--accept", "--listen=127.0.0.1:%d" % port,
                                "--setenv=ASAN_OPTIONS=detect_leaks=0", os.path.join(BIN, "imapd"), "-C", cyrus.conf],
                               stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("systemd", lambda: not connection_refused(port))
        with Imap(port) as c:
            c.login()
            c.ok("SELECT INBOX")
    finally:
        process.terminate()
        process.wait(15)


def connection_refused(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_what_is_no_connection(cyrus, kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            s.listen()
        done = subprocess.run([os.path.join(BIN, "imapd"), "-C", cyrus.conf], stdin=s, capture_output=True, timeout=30,
                              check=False)
    assert done.returncode == 1 and b"a connected TCP socket is wanted" in done.stderr


def test_maildir_argument_gives_no_preauth(cyrus):
    box = cyrus.make_maildir("ann")
    with Inetd(LINE % box, cyrus.conf) as i, Imap(i.port) as c:
        assert c.greeting.startswith(b"* OK ")
        assert c.cmd("SELECT INBOX").status == "BAD"


# ---- msg/shutdown, msg/motd --------------------------------------------------------------------------------
def test_shutdown_ends_sessions(cyrus, config):
    idler, other, boss = (Imap(cyrus.port) for _ in range(3))
    idler.login()
    idler.ok("SELECT INBOX")
    idler.idle()
    other.login("ann")
    boss.login("boss")
    with message(config, "shutdown", b"[[ALERT] back at noon\r\nsecond line\n"):
        assert idler.closed() and idler.last == b"* BYE [ALERT] ALERT] back at noon\r\n"
        assert other.closed() and other.last == b"* BYE [ALERT] ALERT] back at noon\r\n"
        wait_for("the greeting", lambda: new(cyrus) == b"* BYE [ALERT] ALERT] back at noon")
        assert new(cyrus, tls=True) == b"* BYE [ALERT] ALERT] back at noon"
        with Inetd(LINE % "", cyrus.conf) as i, Imap(i.port) as c:
            assert c.greeting.startswith(b"* BYE [ALERT]")
        boss.ok("NOOP")
    wait_for("the end of it", lambda: new(cyrus).startswith(b"* OK"))
    boss.ok("SELECT INBOX")
    for c in (idler, other, boss):
        c.close()


def new(server, tls=False):
    with Imap(server.sslport if tls else server.port, tls=tls) as c:
        return c.greeting


def test_who_logs_in_just_then(cyrus, config):
    """Greeted before the file came, logged in after."""
    c, boss = Imap(cyrus.port), Imap(cyrus.port)
    with message(config, "shutdown", b"going\n"):
        wait_for("the greeting", lambda: new(cyrus).startswith(b"* BYE"))
        wait_for("the backend", lambda: 'msg/shutdown text=going' in cyrus.log())
        c.cmd("LOGIN demo demo")
        assert c.closed() and c.last == b"* BYE [ALERT] going\r\n"
        boss.login("boss")
        boss.ok("SELECT INBOX")
    wait_for("the end of it", lambda: new(cyrus).startswith(b"* OK"))


def test_shutdown_of_the_service_wins(cyrus, config):
    with message(config, "shutdown", b"all\n"), message(config, "shutdown.imap", b"imap\n"):
        wait_for("the greeting", lambda: new(cyrus) == b"* BYE [ALERT] imap")
    wait_for("the end of it", lambda: new(cyrus).startswith(b"* OK"))


def test_odd_shutdown_line(cyrus, config):
    with message(config, "shutdown", b"\xff\x1b[1m\r" + b"x" * 100000):
        wait_for("the greeting", lambda: new(cyrus) == b"* BYE [ALERT] ??[1m")
    wait_for("the end of it", lambda: new(cyrus).startswith(b"* OK"))


def test_what_is_no_file_has_no_effect(cyrus, config):
    (config / "msg" / "shutdown").mkdir()
    try:
        wait_for("one word", lambda: len(re.findall("cyrus-file.*msg/shutdown is not read", cyrus.log())) >= 2)
        assert new(cyrus).startswith(b"* OK")
    finally:
        (config / "msg" / "shutdown").rmdir()
    assert len(re.findall("cyrus-file.*msg/shutdown is not read", cyrus.log())) == 2, "frontend and backend, once each"


def test_motd(cyrus, config):
    def told(tls=False):
        with Imap(cyrus.sslport if tls else cyrus.port, tls=tls) as c:
            assert c.greeting.startswith(b"* OK [CAPABILITY")
            first = c.cmd("NOOP").untagged
            c.login()
            return first
    with message(config, "motd", b"[disk full soon\nmore\n"):
        wait_for("the message", lambda: told() == [b"* OK [ALERT] disk full soon"])
        assert told(tls=True) == [b"* OK [ALERT] disk full soon"]
    wait_for("its end", lambda: told() == [])


def test_missing_directory_is_said_once(server):
    s = server(CYRUS_DIR="/nonexistent/imap")
    s.start()
    assert len(re.findall("CYRUS_DIR /nonexistent/imap: No such file", s.log())) == 2, s.log()


# ---- log/USER ----------------------------------------------------------------------------------------------
@contextlib.contextmanager
def logged(config, user="demo"):
    path = config / "log" / user
    path.mkdir(mode=0o700)
    try:
        yield path
    finally:
        if path.exists():
            for f in path.iterdir():
                f.unlink()
            path.rmdir()


def content(path):
    return b"".join(p.read_bytes() for p in path.iterdir()) if path.exists() else b""


def commands_until(c, what, condition):
    def once():
        c.ok("NOOP")
        return condition()
    return wait_for(what, once)


def test_telemetry_of_running_sessions(cyrus, config):
    with Imap(cyrus.port) as c, Imap(cyrus.port) as ann:
        c.login()
        ann.login("ann")
        with logged(config) as path:
            commands_until(c, "telemetry", lambda: b"NOOP completed" in content(path))
            ann.ok("CREATE INBOX.quiet")
            c.ok("CREATE INBOX.loud")
            text = wait_for("all of it", lambda: re.search(rb"loud\r\n.* OK .*\n$", content(path), re.S) and content(path))
            (name,) = os.listdir(path)
            (pid,) = cyrus.imapds(cyrus.maildir())
            assert re.match(r"imap-%d-\d+$" % pid, name)
            assert re.match(rb"---------- demo [A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}\n", text)
            assert re.search(rb"<\d{10}<t\d+ CREATE INBOX.loud\r\n>\d{10}>t\d+ OK ", text)
            assert b"quiet" not in text and b"LOGIN" not in text
            # Gone: it stops. There again: another file.
            away = config / "log.away"
            path.rename(away)
            wait_for("a word", lambda: re.search("telemetry-ends user=demo", cyrus.log()))
            c.ok("NOOP")  # the word to its imapd was there before this
            c.ok("CREATE INBOX.unseen")
            assert b"unseen" not in content(away)
            away.rename(path)
            commands_until(c, "telemetry", lambda: len(os.listdir(path)) == 2)


def test_telemetry_from_the_first_command(cyrus, config):
    with logged(config) as path:
        def seen():
            with Imap(cyrus.port) as c:
                c.send("a LOGIN demo demo\r\nb CREATE INBOX.first\r\nc LOGOUT\r\n")
                c.closed()
            return b"b CREATE INBOX.first\r\nc LOGOUT" in content(path)
        wait_for("pipelined commands", seen)
        text = wait_for("the rest", lambda: b"c OK" in content(path) and content(path))
        assert b"LOGIN demo" not in text and b"a OK [CAPABILITY" in text and b"* BYE" in text
        with Imap(cyrus.port) as c:
            c.send("a LOGIN demo demo\r\nb LOGIN demo secret1\r\nc LOGIN demo {7+}\r\nsecret2\r\n")
            assert c.read_line().startswith(b"a OK") and c.read_line().startswith(b"b BAD")
            assert c.read_line().startswith(b"c BAD")
            assert c.cmd("authenticate PLAIN c2VjcmV0Mw==").status == "BAD"
            assert c.cmd("LOGIN demo secret4").status == "BAD"
            c.ok("CREATE INBOX.later")
            text = wait_for("the last", lambda: b"later" in content(path) and content(path))
            assert b"secret" not in text and b"c2VjcmV0Mw" not in text and b"b BAD" in text and b"c BAD" in text
        sessions = len(os.listdir(path))
        with Imap(cyrus.port) as a, Imap(cyrus.port) as b:
            a.login()
            b.login()
            wait_for("a file for each", lambda: len(os.listdir(path)) == sessions + 2)


def test_telemetry_has_a_limit(cyrus, config):
    with logged(config) as path, Imap(cyrus.port) as c:
        c.login()
        commands_until(c, "telemetry", lambda: content(path))
        c.append("INBOX", b"x" * 100000)
        for _ in range(3):
            c.ok("NOOP")
        wait_for("it is full", lambda: len(content(path)) == 20000)
        c.ok("NOOP")
        assert len(content(path)) == 20000


@pytest.mark.skipif(not ROOT, reason="needs directories of others")
def test_telemetry_goes_nowhere_else(cyrus, config, tmp_path):
    tmp_path.chmod(0o777)
    os.symlink(tmp_path, config / "log" / "demo")
    with logged(config, "boss") as foreign, logged(config, "ann") as own:
        os.chown(foreign, 61905, 61905)
        os.chown(own, MAIL_UID, MAIL_UID)
        with Imap(cyrus.port) as demo, Imap(cyrus.port) as boss, Imap(cyrus.port) as ann:
            demo.login()
            boss.login("boss")
            ann.login("ann")
            commands_until(ann, "telemetry", lambda: content(own))
            (name,) = own.iterdir()
            assert name.stat().st_uid == MAIL_UID and name.stat().st_mode & 0o777 == 0o600
            commands_until(boss, "a word", lambda: "log/boss: its directory belongs to uid 61905" in cyrus.log())
            demo.ok("NOOP")
            assert not os.listdir(foreign) and not os.listdir(tmp_path)
    os.unlink(config / "log" / "demo")


def test_shell_is_as_before(tmp_path):
    with contextlib.closing(Shell(make_maildir(tmp_path))) as c:
        assert c.greeting.startswith(b"* PREAUTH")
        c.ok("SELECT INBOX")
