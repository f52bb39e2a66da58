# SPDX-License-Identifier: Apache-2.0
"""The client's side of SASL in IMAP, and of SCRAM (RFC 5802), with every step open to meddling."""
import base64
import hashlib
import hmac
import os


def b64(data):
    return base64.b64encode(data.encode() if isinstance(data, str) else data).decode()


class Dialogue:
    """AUTHENTICATE on an Imap connection, message by message."""

    def __init__(self, imap, mechanism, initial=None):
        self.imap = imap
        word = "" if initial is None else " " + (b64(initial) or "=")
        self.tag = imap.start("AUTHENTICATE " + mechanism + word)
        self.reply = None  # the tagged answer, once it came

    def challenge(self):
        """The server's next message, decoded; None where the tagged answer came instead."""
        line = self.imap.read_line()
        if line.startswith(b"+ "):
            return base64.b64decode(line[2:], validate=True).decode()
        status, text = line.decode().split(" ", 2)[1:]
        self.reply = (status, text)
        return None

    def send(self, message):
        self.send_raw(b64(message))

    def send_raw(self, line):
        self.imap.send(line + "\r\n")

    def end(self):
        """(status, text)"""
        while self.reply is None:
            assert self.challenge() is None, "a challenge instead of an end"
        return self.reply


def escape(name):
    return name.replace("=", "=3D").replace(",", "=2C")


class Scram:
    def __init__(self, mechanism, user, password, authzid="", flag="n", binding=b""):
        self.hash = "sha1" if "-SHA-1" in mechanism else "sha256"
        self.mechanism, self.user, self.password = mechanism, user, password
        self.gs2 = "%s,%s," % (flag, "a=" + escape(authzid) if authzid else "")
        self.binding, self.nonce = binding, b64(os.urandom(12))
        self.bare = "n=%s,r=%s" % (escape(user), self.nonce)

    def hmac(self, key, text):
        return hmac.new(key, text, self.hash).digest()

    def first(self):
        return self.gs2 + self.bare

    def final(self, server_first, nonce=None, cbind=None):
        """nonce, cbind: others than the right ones, under a proof that covers them."""
        self.server_first = server_first
        fields = dict(f.split("=", 1) for f in server_first.split(","))
        assert fields["r"].startswith(self.nonce) and len(fields["r"]) > len(self.nonce) + 16
        self.salt, self.iterations = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac(self.hash, self.password.encode(), self.salt, self.iterations)
        key = self.hmac(salted, b"Client Key")
        cbind = self.gs2.encode() + self.binding if cbind is None else cbind
        without = "c=%s,r=%s" % (b64(cbind), fields["r"] if nonce is None else nonce)
        message = ",".join((self.bare, server_first, without)).encode()
        signature = self.hmac(hashlib.new(self.hash, key).digest(), message)
        proof = bytes(a ^ b for a, b in zip(key, signature))
        self.expected = "v=" + b64(self.hmac(self.hmac(salted, b"Server Key"), message))
        return "%s,p=%s" % (without, b64(proof))

    def run(self, imap, initial=True):
        """(status, text) of a whole login; the server's signature is looked at."""
        d = Dialogue(imap, self.mechanism, self.first() if initial else None)
        if not initial:
            if d.challenge() is None:
                return d.reply
            d.send(self.first())
        answer = d.challenge()
        if answer is None:
            return d.reply
        d.send(self.final(answer))
        answer = d.challenge()
        if answer is None:
            return d.reply
        assert answer == self.expected
        d.send("")
        return d.end()
