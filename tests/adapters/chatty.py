"""A framework that prints what looks like replies, from Python and past Python, and reads stdin."""

import os
import sys

from convmark import Adapter as Base

NAME = "chatty"
MODES = ("plain",)
NOISE = '{"value": {"framework": "forged"}}\n'


class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        print(NOISE)
        sys.__stdout__.write(NOISE)
        os.write(1, NOISE.encode())
        os.system("echo '%s'" % NOISE.strip())

    def versions(self):
        return {"chatty": "1"}
