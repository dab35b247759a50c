"""Ask a DNS server for a name until it answers: ``resolve.py SERVER NAME ADDRESS SECONDS``.

Stands alone, because it runs as a command inside the cluster's network.
"""

import random
import socket
import struct
import sys
import time

_RECURSION_DESIRED = 0x100
_A, _IN = 1, 1
_HEADER = struct.Struct(">HHHHHH")


def build_query(name: str, number: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (
        _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0)
        + labels
        + b"\0"
        + struct.pack(">HH", _A, _IN)
    )


def holds_address(reply: bytes, number: int, address: str) -> bool:
    """Tell whether the reply is to this query and ends with this address record."""
    answered, _, _, answers, _, _ = _HEADER.unpack_from(reply)
    return bool(answered == number and answers and socket.inet_aton(address) in reply)


def resolves(server: str, name: str, address: str) -> bool:
    """Ask once."""
    number = random.randrange(0x10000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(0.5)
        try:
            client.sendto(build_query(name, number), (server, 53))
            return holds_address(client.recv(4096), number, address)
        except OSError:
            return False


def main(server: str, name: str, address: str, seconds: str) -> int:
    deadline = time.monotonic() + float(seconds)
    while not resolves(server, name, address):
        if time.monotonic() >= deadline:
            return 1
        time.sleep(0.1)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:5]))
