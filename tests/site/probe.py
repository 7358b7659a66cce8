"""A client that speaks TLS to one port, verifies what it finds, and says in one line what came of it.

Runs in a host, by its Python:  python3 - ADDRESS PORT NAME AUTHORITY [CERTIFICATE KEY] < probe.py
Prints `let in`, or `refused` and who refused whom for which reason.
"""

from __future__ import annotations

import socket
import ssl
import struct
import sys

POSTGRESQL = (5432, 6432, 5000, 5001)  # TLS begins there when it is asked for
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
QUESTION = b"GET /version HTTP/1.0\r\n\r\n"


def main(address: str, port: int, name: str, authority: str, *own: str) -> str:
    context = ssl.create_default_context(cafile=authority)
    if own:
        context.load_cert_chain(*own)
    with socket.create_connection((address, port), timeout=5) as plain:
        if port in POSTGRESQL:
            plain.sendall(SSL_REQUEST)
            if plain.recv(1) != b"S":
                return "refused by the server: it speaks no TLS"
        try:
            tls = context.wrap_socket(plain, server_hostname=name)
        except ssl.SSLCertVerificationError as error:
            return f"refused by the client: {error.verify_message}"
        except (ssl.SSLError, ConnectionError) as error:
            return f"refused by the server: {error}"
        if port in POSTGRESQL:
            return "let in"
        # A server of TLS 1.3 says only now what it thinks of the client's certificate.
        with tls:
            try:
                tls.sendall(QUESTION)
                tls.recv(1)
            except TimeoutError:
                pass  # it waits for more: it has let the client in
            except (ssl.SSLError, ConnectionError) as error:
                return f"refused by the server: {error}"
    return "let in"


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
