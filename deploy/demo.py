#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What quickstart.sh shows: that the server takes logins (wait), and how soon a client in IDLE hears
of a delivery (show)."""
import os
import socket
import ssl
import sys
import time


class Client:
    def __init__(self, port):
        raw = socket.create_connection(("127.0.0.1", port), timeout=5)
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # the certificate is our own, self-signed
        self.sock = context.wrap_socket(raw, server_hostname="localhost")
        self.file = self.sock.makefile("rb")

    def line(self):
        line = self.file.readline().decode("ascii", "replace").rstrip("\r\n")
        if not line:
            raise OSError("the server closed the connection")
        return line

    def say(self, text):
        self.sock.sendall(text.encode() + b"\r\n")

    def ask(self, command):
        self.say("a " + command)
        while True:
            line = self.line()
            if line.startswith("a "):
                if not line.startswith("a OK"):
                    raise OSError(line)
                return


def wait(ports, account):
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", ports[0]), timeout=5).close()
            client = Client(ports[1])
            client.line()
            if account:
                client.ask("LOGIN %s %s" % account)
            client.say("z LOGOUT")
            return
        except (OSError, ssl.SSLError) as fault:
            if time.monotonic() > deadline:
                sys.exit("demo: no login after 30 s: %s" % fault)
            time.sleep(0.1)


def deliver(maildir):
    name = "%d.M%dP%d.demo" % (time.time(), time.time_ns() // 1000 % 1000000, os.getpid())
    tmp, new = os.path.join(maildir, "tmp", name), os.path.join(maildir, "new", name)
    with open(tmp, "w", encoding="ascii") as mail:
        mail.write("From: Posthouse <postmaster@localhost>\nTo: demo@localhost\n"
                   "Subject: Your first letter\n\nIt came while you were in IDLE.\n")
    os.chmod(tmp, 0o644)
    owner = os.stat(maildir)
    if os.geteuid() == 0:
        os.chown(tmp, owner.st_uid, owner.st_gid)
    begin = time.perf_counter()
    os.rename(tmp, new)
    return begin


def show(ports, account, maildir):
    client = Client(ports[1])
    print("demo: S:", client.line().split("]")[-1].strip())
    client.ask("LOGIN %s %s" % account)
    client.ask("SELECT INBOX")
    client.say("a IDLE")
    while not client.line().startswith("+"):
        pass
    print("demo: logged in over %s, INBOX selected, in IDLE" % client.sock.version())
    begin = deliver(maildir)
    while True:
        line = client.line()
        if line.endswith("EXISTS"):
            break
    took = (time.perf_counter() - begin) * 1000
    print("demo: a message was delivered; the client heard '%s' after %.1f ms" % (line, took), flush=True)
    client.say("DONE")


def main():
    ports = int(sys.argv[2]), int(sys.argv[3])
    account = tuple(sys.argv[4:6]) if len(sys.argv) >= 6 else None
    if sys.argv[1] == "wait":
        wait(ports, account)
    else:
        show(ports, account, sys.argv[6])


main()
