# SPDX-License-Identifier: Apache-2.0
"""The mail that every server is measured with: the same bytes on every machine and in every run."""
import os
import random
import shutil

WORDS = ("mail post letter house horse road night morning market river bridge paper ink seal coach driver "
         "answer question number column reason change always never before after").split()


def words(rng, size):
    """Lines of words, about so many bytes."""
    lines, total = [], 0
    while total < size:
        line = " ".join(rng.choice(WORDS) for _ in range(rng.randint(6, 12)))
        lines.append(line)
        total += len(line) + 1
    return "\n".join(lines) + "\n"


def message(rng, number, size):
    head = ("Return-Path: <list-%d@lists.example.com>\n"
            "Received: from mx%d.example.com (mx%d.example.com [192.0.2.%d])\n"
            "\tby mail.example.org with ESMTPS id %08x; Mon, 2 Jun 2025 %02d:%02d:%02d +0000\n"
            "From: Sender Number %d <sender%d@example.com>\nTo: Reader <reader@example.org>\n"
            "Subject: Message %d of the corpus\nDate: Mon, 2 Jun 2025 %02d:%02d:%02d +0000\n"
            "Message-ID: <%d.%08x@example.com>\nMIME-Version: 1.0\n")
    h, m, s = rng.randrange(24), rng.randrange(60), rng.randrange(60)
    head %= (number % 50, number % 4, number % 4, number % 250, rng.getrandbits(32), h, m, s, number, number % 200, number,
             h, m, s, number, rng.getrandbits(32))
    if size < 6000:
        return head + "Content-Type: text/plain; charset=us-ascii\n\n" + words(rng, size)
    half = size // 2
    return (head + "Content-Type: multipart/alternative; boundary=\"=-bound-%d\"\n\n"
            "--=-bound-%d\nContent-Type: text/plain; charset=us-ascii\n\n%s"
            "--=-bound-%d\nContent-Type: text/html; charset=us-ascii\n\n<html><body><pre>\n%s</pre></body></html>\n"
            "--=-bound-%d--\n") % (number, number, words(rng, half), number, words(rng, half), number)


def make(path, messages=1000):
    """path/bodies holds that many messages of 11 KB in the mean (most shorter), path/small 10 short ones."""
    shutil.rmtree(path, ignore_errors=True)
    rng = random.Random(19450508)
    for name, count in (("bodies", messages), ("small", 10)):
        os.makedirs(os.path.join(path, name))
        for i in range(count):
            size = min(int(rng.lognormvariate(8.4, 1.25)), 250000) if name == "bodies" else 1500
            with open(os.path.join(path, name, "%05d" % i), "w", encoding="ascii") as f:
                f.write(message(rng, i, max(size, 300)))
    return path


def to_maildir(corpus, maildir, uid, gid):
    """Copies a part of the corpus into a new Maildir, all of it seen."""
    for sub in ("cur", "new", "tmp"):
        os.makedirs(os.path.join(maildir, sub), mode=0o700)
    for i, name in enumerate(sorted(os.listdir(corpus))):
        to = os.path.join(maildir, "cur", "1748870000.M%06dP1.bench:2,S" % i)
        shutil.copyfile(os.path.join(corpus, name), to)
        os.utime(to, (1748870000 + i, 1748870000 + i))
        os.chown(to, uid, gid)
    for sub in ("", "cur", "new", "tmp", ".."):
        os.chown(os.path.join(maildir, sub), uid, gid)
        os.chmod(os.path.join(maildir, sub), 0o700)
