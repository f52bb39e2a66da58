#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What quickstart.sh asks and shows: are the ports free (ports), does the server take logins (wait), how
soon does a client in IDLE hear of a delivery (show)."""
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


def ports(numbers):
    """Says which port is taken; to be asked before anything listens (two Posthouses of one user could share a port)."""
    for port in numbers:
        try:
            with socket.socket() as s:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                s.bind(("127.0.0.1", port))
                s.listen()
        except OverflowError:
            sys.exit("quickstart: %d is no port number" % port)
        except PermissionError:
            sys.exit("quickstart: port %d is for root only; choose others: --imap PORT --imaps PORT" % port)
        except OSError:
            sys.exit("quickstart: port %d is taken; choose others: --imap PORT --imaps PORT" % port)


def wait(numbers, account):
    """Returns once a login works, or, without an account, once one is refused for what it is.
    Ends with 3 when the account's password is another."""
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", numbers[0]), timeout=5).close()
            client = Client(numbers[1])
            client.line()
            client.ask("LOGIN %s %s" % (account or ("quickstart", "is-it-there")))
            client.say("z LOGOUT")
            return
        except (OSError, ssl.SSLError) as fault:
            if "[AUTHENTICATIONFAILED]" in str(fault):
                sys.exit(3 if account else 0)
            if time.monotonic() > deadline:
                sys.exit("quickstart: no login after 30 s: %s" % fault)
            time.sleep(0.1)


def deliver(maildir):
    now = time.time_ns()
    name = "%d.M%06dP%d.demo" % (now // 10**9, now // 1000 % 10**6, os.getpid())
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


def show(numbers, account, maildir):
    client = Client(numbers[1])
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
    numbers = int(sys.argv[2]), int(sys.argv[3])
    account = tuple(sys.argv[4:6]) if len(sys.argv) >= 6 else None
    if sys.argv[1] == "ports":
        ports(numbers)
    elif sys.argv[1] == "wait":
        wait(numbers, account)
    else:
        try:
            show(numbers, account, sys.argv[6])
        except OSError as fault:
            sys.exit("demo: %s" % fault)


main()
