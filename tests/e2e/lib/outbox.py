# SPDX-License-Identifier: Apache-2.0
"""What the Outbox's tests share: a SENDMAIL that does what the message says, an SMTP server that is scripted."""
import os
import re
import socket
import threading

from lib.server import MAIL_UID, ROOT

SENDMAIL = r'''#!/usr/bin/python3 -S
import os, signal, sys, time
DIR = "%s"
with open(DIR + "/ran", "a") as f:
    f.write("%%d %%r %%r %%d\n" %% (os.getuid(), sys.argv[1:], sorted(os.environ), len(os.listdir("/proc/self/fd"))))
data = sys.stdin.buffer.read()
head = data.split(b"\n\n", 1)[0].decode("latin-1")
def field(name):
    return [l.split(":", 1)[1].strip() for l in head.split("\n") if l.lower().startswith(name + ":")]
do = (field("x-do") or ["ok"])[0].split()
def deliver():
    mid = (field("message-id") or ["<none>"])[0]
    name = DIR + "/out/%%d.%%d" %% (time.time_ns(), os.getpid())
    with open(name + ".tmp", "wb") as f:
        f.write(data)
    os.rename(name + ".tmp", name)
if do[0] == "fail":
    sys.stderr.write("refused: " + "x" * 100 + "\n")
    sys.exit(int(do[1]))
if do[0] == "chatter":
    for i in range(64):
        sys.stderr.write("y" * 65536)
if do[0] == "slow":
    time.sleep(float(do[1]))
if do[0] == "hang":
    time.sleep(1000)
if do[0] == "signal":
    deliver()
    os.kill(os.getpid(), int(do[1]))
if do[0] == "fork":
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
deliver()
if do[0] == "late":
    time.sleep(1000)
'''


class Sendmail:
    """In the server's directory; what it was given lies in .out, one file a message."""

    def __init__(self, directory):
        self.dir = os.path.join(directory, "sendmail")
        self.out = os.path.join(self.dir, "out")
        self.path = os.path.join(self.dir, "sendmail")
        os.makedirs(self.out)
        with open(self.path, "w", encoding="ascii") as f:
            f.write(SENDMAIL % self.dir)
        os.chmod(self.path, 0o755)
        if ROOT:
            for path in (self.dir, self.out):
                os.chown(path, MAIL_UID, MAIL_UID)

    def sent(self):
        found = []
        for name in sorted(n for n in os.listdir(self.out) if not n.endswith(".tmp")):
            with open(os.path.join(self.out, name), "rb") as f:
                found.append(f.read())
        return found

    def ids(self):
        return [m.group(1) for m in (re.search(rb"(?mi)^Message-ID: *<([^>]*)>", t) for t in self.sent()) if m]

    def ran(self):
        try:
            with open(os.path.join(self.dir, "ran"), encoding="ascii") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []


class Smtp(threading.Thread):
    """answers: what is said instead of the usual to a verb; "drop" closes; "data" is for the final dot."""

    def __init__(self, **answers):
        super().__init__(daemon=True)
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.answers, self.mails, self.lines, self.context = answers, [], [], None
        self.start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def say(self, s, verb, usual):
        answer = self.answers.get(verb, usual)
        if answer == "drop":
            s.close()
            return False
        s.sendall(answer.encode() + b"\r\n")
        return True

    def serve(self, s):
        if self.context:
            s = self.context.wrap_socket(s, server_side=True)
        with s, s.makefile("rb") as f:
            s.sendall(b"220 test ESMTP\r\n")
            rcpt = []
            for line in f:
                self.lines.append(line)
                verb = line.split()[0].decode().lower() if line.split() else ""
                if verb == "quit":
                    s.sendall(b"221 bye\r\n")
                    return
                if verb == "rcpt":
                    rcpt.append(line.split(b":", 1)[1].strip())
                if not self.say(s, verb, {"data": "354 go", "ehlo": "250 test"}.get(verb, "250 ok")):
                    return
                if verb == "data" and "data" not in self.answers:
                    data = b""
                    for line in f:
                        if line == b".\r\n":
                            break
                        data += line
                    self.mails.append((rcpt, data))
                    if not self.say(s, "dot", "250 queued"):
                        return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
