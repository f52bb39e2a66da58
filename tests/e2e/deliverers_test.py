# SPDX-License-Identifier: Apache-2.0
"""Real delivery agents, while clients are in IDLE: maildrop, Postfix's virtual(8)."""
import os
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile

import pytest

from lib.server import MAIL_UID, ROOT, free_port, wait_for


def test_maildrop(account):
    account.deliver()
    c = account.client(tls=True, select="INBOX")
    c.idle()
    home = os.path.dirname(account.maildir)
    rules = os.path.join(home, "mailfilter")
    with open(rules, "w", encoding="ascii") as f:
        f.write('to "%s"\n' % account.maildir)
    os.chmod(rules, 0o600)
    if ROOT:
        os.chown(rules, MAIL_UID, MAIL_UID)
    command = ["maildrop", rules]
    if ROOT:
        command = ["setpriv", "--reuid=%d" % MAIL_UID, "--regid=%d" % MAIL_UID, "--clear-groups"] + command
    done = subprocess.run(command, input=b"From: x@example.com\nSubject: by maildrop\n\nhello\n", capture_output=True,
                          check=False, env=dict(os.environ, HOME=home), cwd=home)
    assert done.returncode == 0, done.stderr
    c.idle_until(r"^\* 2 EXISTS$")
    c.done()
    assert c.ok("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").find(r"by maildrop")


class Postfix:
    """A Postfix of the test's own: its directories are bound over the machine's in a mount namespace."""

    def __init__(self, server, users):
        self.dir = tempfile.mkdtemp(prefix="ph-postfix.")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        etc = os.path.join(self.dir, "etc")
        shutil.copytree("/etc/postfix", etc, symlinks=True)
        with open(os.path.join(etc, "main.cf"), "w", encoding="ascii") as f:
            f.write("""compatibility_level = 3.6
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
virtual_mailbox_domains = posthouse.test
virtual_mailbox_base = %s
virtual_mailbox_maps = texthash:%s/boxes
virtual_uid_maps = static:%d
virtual_gid_maps = static:%d
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject
mynetworks = 127.0.0.0/8
maillog_file = /var/spool/postfix/log
maillog_file_prefixes = /var
default_transport = error
relayhost =
alias_maps =
""" % (server.mail, "/etc/postfix", MAIL_UID, MAIL_UID))
        with open(os.path.join(etc, "boxes"), "w", encoding="ascii") as f:
            for user in users:
                f.write("%s@posthouse.test %s/Maildir/\n" % (user, user))
        with open(os.path.join(etc, "master.cf"), encoding="ascii") as f:
            lines = [x for x in f if not x.startswith("smtp      inet")]
        with open(os.path.join(etc, "master.cf"), "w", encoding="ascii") as f:
            f.write("127.0.0.1:%d inet n - n - - smtpd\n" % self.port)
            f.write("postlog unix-dgram n - n - 1 postlogd\n")
            for line in lines:
                words = line.split()
                if line[:1] not in " #\n" and len(words) > 7 and words[4] == "y":
                    line = line.replace(" y ", " n ", 1) if words[4] == "y" else line
                if not line.startswith("postlog"):
                    f.write(line)
        for sub in ("spool", "lib"):
            os.mkdir(os.path.join(self.dir, sub))
        script = """set -e
mount --bind %(d)s/etc /etc/postfix
mount --bind %(d)s/spool /var/spool/postfix
mkdir -p /var/lib/postfix
mount --bind %(d)s/lib /var/lib/postfix
chown postfix:postfix /var/lib/postfix
postfix set-permissions >/dev/null 2>&1 || :
exec postfix start-fg
""" % {"d": self.dir}
        with open(os.path.join(self.dir, "out"), "wb") as out:
            self.process = subprocess.Popen(["unshare", "-m", "--propagation", "private", "sh", "-c", script], stdout=out,
                                            stderr=out, stdin=subprocess.DEVNULL, start_new_session=True)

    def send(self, recipient, text):
        with smtplib.SMTP("127.0.0.1", self.port, timeout=20) as s:
            s.sendmail("sender@posthouse.test", [recipient], text)

    def ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            if self.process.poll() is not None:
                with open(os.path.join(self.dir, "out"), encoding="utf-8") as f:
                    raise AssertionError("postfix ended: " + f.read()) from None
            return False

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


def namespaces():
    return subprocess.run(["unshare", "-m", "--propagation", "private", "true"], capture_output=True,
                          check=False).returncode == 0


@pytest.mark.skipif(not ROOT, reason="Postfix has to be started as root")
@pytest.mark.skipif(not namespaces(), reason="no mount namespace can be made here")
def test_postfix(account):
    account.deliver()
    c = account.client(tls=True, select="INBOX")
    c.idle()
    postfix = Postfix(account.server, [account.user])
    try:
        wait_for("postfix", postfix.ready, 30)
        postfix.send(account.user + "@posthouse.test", b"Subject: by postfix\r\n\r\nhello\r\n")
        c.idle_until(r"^\* 2 EXISTS$", 30)
        c.done()
        assert c.ok("FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT)])").find(r"by postfix")
    finally:
        postfix.stop()
