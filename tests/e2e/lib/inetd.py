# SPDX-License-Identifier: Apache-2.0
"""An inetd: starts a program for each connection, with the socket as its descriptors 0, 1 and 2."""
import os
import re
import shlex
import socket
import subprocess
import threading

from .server import BIN


class Inetd:
    def __init__(self, line, conf, prefix=(), address="127.0.0.1", errors=None):
        """line: of cyrus.conf's SERVICES: imap cmd="imapd -U 30" listen="imap" prefork=0."""
        words = dict(re.findall(r'(\w+)=(?:"([^"]*)"|\d+)', line))
        self.command = shlex.split(words["cmd"])
        self.args = [*prefix, os.path.join(BIN, self.command[0]), *self.command[1:], "-C", conf]
        self.errors, self.codes = errors, []
        self.listener = socket.create_server((address, 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            env = {k: v for k, v in os.environ.items() if not k.startswith("PH_")}
            env.setdefault("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=8")
            p = subprocess.Popen(self.args, stdin=client, stdout=client, stderr=self.errors or client, env=env)
            client.close()
            self.codes.append(p.wait(30))

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
