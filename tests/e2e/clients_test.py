# SPDX-License-Identifier: Apache-2.0
"""Real clients: mbsync, neomutt, curl, openssl s_client, Python's imaplib."""
import imaplib
import os
import random
import signal
import ssl
import subprocess
import time

import pytest

FOLDERS, MESSAGES = (20, 5000) if os.environ.get("POSTHOUSE_LONG") else (20, 1000)


def insecure():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def curl(account, *args, path="", tls=True):
    server = account.server
    url = "imaps://127.0.0.1:%d/%s" % (server.sslport, path) if tls else \
        "imap://127.0.0.1:%d/%s" % (server.port, path)
    done = subprocess.run(["curl", "-sS", "-k", "--max-time", "20", "--user", "%s:%s" % (account.user, account.user), url,
                           *args], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_curl(account, tmp_path):
    account.deliver("Subject: by curl\n\nbody\n")
    assert b"INBOX" in curl(account)
    assert b"EXISTS" in curl(account, "-X", "EXAMINE INBOX")
    assert curl(account, path="INBOX;MAILINDEX=1") == b"Subject: by curl\r\n\r\nbody\r\n"
    mail = tmp_path / "mail"
    mail.write_bytes(b"Subject: uploaded\r\n\r\nby curl\r\n")
    curl(account, "-T", str(mail), path="INBOX")
    assert b"* SEARCH 2" in curl(account, path="INBOX?SUBJECT%20uploaded")
    assert b"INBOX" in curl(account, "--ssl-reqd", tls=False)
    assert b"INBOX" in curl(account, "--login-options", "AUTH=PLAIN")
    assert b"INBOX" in curl(account, "--login-options", "AUTH=LOGIN")


def test_imaplib(account):
    server = account.server
    account.deliver()
    with imaplib.IMAP4(host="127.0.0.1", port=server.port) as m:
        m.starttls(ssl_context=insecure())
        assert m.login(account.user, account.user)[0] == "OK"
        assert m.select()[1] == [b"1"]
        assert m.append("INBOX", "\\Flagged custom", imaplib.Time2Internaldate(1700000000), b"A: b\r\n\r\nc\r\n")[0] == "OK"
        assert m.create("INBOX.Archive")[0] == "OK"
        assert m.uid("COPY", "1:*", "INBOX.Archive")[0] == "OK"
        assert m.select("INBOX.Archive")[1] == [b"2"]
        assert m.search(None, "KEYWORD", "custom")[1] == [b"2"]
        assert b"14-Nov-2023 22:13:20 +0000" in m.fetch("2", "(INTERNALDATE)")[1][0]
        m.store("1:*", "+FLAGS", "\\Deleted")
        assert m.expunge()[0] == "OK"
        assert m.status("INBOX.Archive", "(MESSAGES)")[1] == [b'"INBOX.Archive" (MESSAGES 0)']
        m.close()
        assert m.delete("INBOX.Archive")[0] == "OK"


def test_openssl_s_client(account):
    account.deliver()
    text = b"a LOGIN %s %s\r\nb SELECT INBOX\r\nc LOGOUT\r\n" % ((account.user.encode(),) * 2)
    for how in (["-connect", "127.0.0.1:%d" % account.server.sslport],
                ["-connect", "127.0.0.1:%d" % account.server.port, "-starttls", "imap"],
                ["-connect", "127.0.0.1:%d" % account.server.sslport, "-tls1_2"]):
        p = subprocess.Popen(["openssl", "s_client", "-quiet", "-no_ign_eof", *how], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        p.stdin.write(text)
        p.stdin.flush()
        out = b""
        while b"c OK" not in out:
            line = p.stdout.readline()
            assert line, out
            out += line
        p.stdin.close()
        p.wait(10)
        assert b"* 1 EXISTS" in out
    old = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:%d" % account.server.sslport, "-tls1_1",
                          "-cipher", "DEFAULT@SECLEVEL=0"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert old.returncode != 0, "TLS 1.1 is refused"


def test_neomutt_reads_and_flags(account, tmp_path):
    account.deliver("Subject: for mutt\n\nhello mutt\n")
    rc = tmp_path / "rc"
    rc.write_text(
        'set folder="imaps://127.0.0.1:%d/"\nset spoolfile="imaps://127.0.0.1:%d/INBOX"\nset imap_user="%s"\n'
        'set imap_pass="%s"\nset certificate_file="%s"\nset ssl_verify_host=no\nset ssl_verify_dates=no\n'
        'set header_cache="%s"\nset tmpdir="%s"\n'
        % (account.server.sslport, account.server.sslport, account.user, account.user,
           account.server.settings["TLS_CERTFILE"], tmp_path / "cache", tmp_path))
    script = """
set timeout 20
spawn neomutt -n -F %s
expect {
    "(o)nce" { send "o"; exp_continue }
    "for mutt" {}
    timeout { exit 2 }
}
send "\\r"
expect "hello mutt" {} timeout { exit 3 }
send "i"
send "F"
send "q"
expect "(yes" { send "y"; exp_continue } eof {} timeout { exit 4 }
""" % rc
    env = dict(os.environ, TERM="xterm", HOME=str(tmp_path), LC_ALL="C.UTF-8")
    done = subprocess.run(["expect", "-c", script], env=env, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-3000:]
    c = account.client(select="INBOX")
    assert c.ok("FETCH 1 FLAGS").find(r"\\Flagged.*\\Seen|\\Seen.*\\Flagged")


# ---- mbsync ---------------------------------------------------------------------------------------------

def mbsync_config(account, tmp_path):
    near = tmp_path / "near"
    near.mkdir()
    rc = tmp_path / "mbsyncrc"
    rc.write_text("""
IMAPAccount far
Host localhost
Port %d
User %s
Pass %s
SSLType IMAPS
SystemCertificates no
CertificateFile %s
Timeout 60

IMAPStore far
Account far

MaildirStore near
Path %s/
Inbox %s/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
Sync All
SyncState *
CopyArrivalDate yes
""" % (account.server.sslport, account.user, account.user, account.server.settings["TLS_CERTFILE"] + ".crt", near, near))
    return rc, near


def mbsync(rc, check=True):
    done = subprocess.run(["mbsync", "-c", str(rc), "-a"], capture_output=True, check=False, timeout=300)
    if check:
        assert done.returncode == 0, done.stderr[-3000:]
    return done


def near_mail(near):
    """folder -> sorted (subject, flags)."""
    found = {}
    for base, _, files in os.walk(near):
        if os.path.basename(base) not in ("cur", "new"):
            continue
        box = os.path.relpath(os.path.dirname(base), near).lstrip(".")
        for name in files:
            with open(os.path.join(base, name), "rb") as f:
                subject = [x for x in f.read().split(b"\n") if x.startswith(b"Subject:")][0].strip()
            flags = "".join(sorted(set(name.partition(":2,")[2]) & set("DFRST")))
            found.setdefault(box, []).append((subject, flags))
    return {box: sorted(mails) for box, mails in found.items()}


def far_mail(account):
    c, found = account.client(), {}
    letters = {b"\\Draft": "D", b"\\Flagged": "F", b"\\Answered": "R", b"\\Seen": "S", b"\\Deleted": "T"}
    for m in c.ok('LIST "" "*"').all(r'^\* LIST \(([^)]*)\) "\." "?([^"]*)"?$'):
        box = m.group(2).decode()
        if b"\\Noselect" in m.group(1) or int(c.ok('EXAMINE "%s"' % box).find(r"(\d+) EXISTS").group(1)) == 0:
            continue
        mails = []
        for line in c.ok("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").all(r"FLAGS \(([^)]*)\).*(Subject: [^\r]*)"):
            mails.append((line.group(2).strip(), "".join(sorted(letters[f] for f in line.group(1).split() if f in letters))))
        found[box] = sorted(mails)
    c.close()
    return found


def fill(account):
    rng = random.Random(7)
    names = [None] + ["folder%d" % i for i in range(FOLDERS - 1)]
    for i in range(MESSAGES):
        flags = "".join(sorted(x for x in "FRS" if rng.random() < 0.4)) if rng.random() < 0.8 else None
        account.deliver("From: a@example.com\nSubject: message %d\n\n%s\n" % (i, "text " * rng.randrange(300)),
                        folder=names[i % FOLDERS], flags=flags)
    if os.geteuid() == 0:
        account.server.give(os.path.join(account.server.mail, account.user))


def same(near, far):
    return {k.replace("INBOX.", ""): v for k, v in near.items()} == {k.replace("INBOX.", ""): v for k, v in far.items()}


@pytest.mark.slow
def test_mbsync_two_ways(account, tmp_path):
    fill(account)
    rc, near = mbsync_config(account, tmp_path)
    mbsync(rc)
    assert sum(map(len, near_mail(near).values())) == MESSAGES
    assert same(near_mail(near), far_mail(account))

    before = {p: os.stat(p).st_mtime_ns for b, _, fs in os.walk(near) for p in (os.path.join(b, f) for f in fs)
              if not os.path.basename(p).startswith(".mbsync")}
    out = subprocess.run(["mbsync", "-V", "-c", str(rc), "-a"], capture_output=True, check=True).stdout
    after = {p: os.stat(p).st_mtime_ns for b, _, fs in os.walk(near) for p in (os.path.join(b, f) for f in fs)
             if not os.path.basename(p).startswith(".mbsync")}
    assert before == after, "the second run transferred something: %s" % out[-2000:]

    # Both sides change, then agree again.
    c = account.client(select="INBOX")
    c.ok("STORE 1:5 +FLAGS (\\Flagged \\Draft)")
    c.ok("STORE 6:8 +FLAGS (\\Deleted)")
    c.ok("EXPUNGE")
    c.append("INBOX", "Subject: from afar\r\n\r\nx\r\n")
    c.close()
    victims = [os.path.join(near, "folder3", "cur", n) for n in sorted(os.listdir(near / "folder3" / "cur"))[:3]]
    for path in victims:
        os.unlink(path)
    mbsync(rc)
    mbsync(rc)
    assert same(near_mail(near), far_mail(account))


@pytest.mark.slow
def test_mbsync_survives_kill_of_imapd(account, tmp_path):
    fill(account)
    rc, near = mbsync_config(account, tmp_path)
    for delay in (0.3, 0.7):
        p = subprocess.Popen(["mbsync", "-c", str(rc), "-a"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        for pid in imapds_of(account):
            os.kill(pid, signal.SIGKILL)
        p.wait(120)
    mbsync(rc)
    mbsync(rc)
    assert same(near_mail(near), far_mail(account))
    assert sum(map(len, near_mail(near).values())) == MESSAGES


def imapds_of(account):
    """imapd processes whose current directory is the account's Maildir."""
    found = []
    for pid in account.server.pids("imapd"):
        try:
            if os.path.samefile("/proc/%d/cwd" % pid, account.maildir):
                found.append(pid)
        except OSError:
            pass
    return found
