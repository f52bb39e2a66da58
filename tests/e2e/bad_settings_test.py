# SPDX-License-Identifier: Apache-2.0
"""Settings files that are wrong (BADINPUT.md B71) and what is off by default (B68): the error names file and line,
and nothing starts."""
import os
import subprocess

import pytest

from lib.guard import programs
from lib.imap import Imap
from lib.server import BIN, ROOT, Server

PROGRAMS = ("frontend", "backend", "notifyd")


def run(program, conf):
    return subprocess.run([os.path.join(BIN, program), "-C", str(conf)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=20, env={"PATH": os.environ["PATH"]})


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("text, says", [
    (b"# one\nPROT=143\n", b":2: "), (b"# one\nMAXPERPI=20\n", b"MAXPERIP"), (b"IMAP_LINE_MAX=5\n", b":1: "),
    (b"IMAP_LINE_MAX=99999999999999999999999\n", b":1: "), (b"IMAP_LINE_MAX=-1\n", b":1: "), (b"IMAP_LINE_MAX=12x\n", b":1: "),
    (b"SANDBOX=maybe\n", b"on|off"), (b"IMAPDSTARTTLS=perhaps\n", b":1: "), (b"no equals sign\n", b":1: "),
    (b"\x7fELF\x02\x01\0\0" + bytes(range(256)) * 8, b": "), (b"PORT=1\0 43\n", b":1: "),
    (b"A=1\nPORT=143\n", b":1: "), (b"PORT=\"143\n", b":1: "), (b"=x\n", b":1: "),
    (b"x" * (1 << 20), b": ")], ids=lambda x: repr(x[:14]))
def test_wrong_settings(tmp_path, program, text, says):
    """B71"""
    conf = tmp_path / "posthouse.conf"
    conf.write_bytes(text)
    result = run(program, conf)
    assert result.returncode not in (0, -6, -11) and result.returncode > 0
    assert str(conf).encode() in result.stderr and says in result.stderr, result.stderr[-500:]
    assert len(result.stderr) < 20000


@pytest.mark.parametrize("program", PROGRAMS)
def test_files_that_are_none(tmp_path, program):
    """B71: missing, a directory, a FIFO, without end"""
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "fifo", "/dev/zero"):
        result = run(program, path)
        assert result.returncode > 0 and str(path).encode() in result.stderr, (path, result)


def test_a_wrong_file_does_not_touch_a_running_server(shared_server, tmp_path):
    """B71: the control program says so as well, and who runs goes on"""
    conf = tmp_path / "posthouse.conf"
    conf.write_bytes(b"NOSUCH=1\n")
    check = subprocess.run([os.path.join(BIN, "posthousectl"), "-C", str(conf), "check"], capture_output=True, timeout=20)
    assert check.returncode != 0 and b"NOSUCH" in check.stdout + check.stderr
    with Imap(shared_server.port) as c:
        c.login()


@pytest.mark.skipif(not ROOT, reason="only root may look")
def test_no_core_dumps(shared_server, account):
    """B68, P8: no process leaves a core or can be traced by its own uid"""
    with account.client(select="INBOX"):
        for pid, name in programs(shared_server).items():
            with open("/proc/%d/limits" % pid, encoding="ascii") as f:
                core = [line.split()[4:6] for line in f if line.startswith("Max core")][0]
            owner = os.stat("/proc/%d/status" % pid).st_uid
            assert core == ["0", "0"] or owner == 0, name
            if name in ("imapd", "login", "authd"):
                assert owner == 0, "%s can be traced" % name


def test_accounts_that_make_no_sense(server):
    """B71, B13: such lines are skipped, the others serve"""
    s = server(users=["demo", "bad1:{PLAIN}x:notanumber:::::", "bad2:{PLAIN}x:-1:::::", "bad3", "bad4:{PLAIN}x:::::\t:", "::::",
                      "bad5:$1$broken", "bad6:{NOSUCH}x::::::", "x" * 70000]).start()
    for user in ("bad1", "bad2", "bad3", "bad6"):
        with Imap(s.port) as c:
            assert c.cmd("LOGIN %s x" % user).status == "NO"
    with Imap(s.port) as c:
        c.login()


def test_two_servers_on_one_rundir(server):
    """The second says what is in the way and ends; the first one goes on."""
    s = server().start()
    for program in PROGRAMS:
        try:
            result = run(program, s.conf)
        except subprocess.TimeoutExpired:
            pytest.fail("a second %s runs beside the first" % program)
        assert result.returncode > 0, program
    with Imap(s.port) as c:
        c.login()
        c.ok("SELECT INBOX")
        assert isinstance(s, Server)
