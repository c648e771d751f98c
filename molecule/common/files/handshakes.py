"""Try handshakes with an address and print as JSON what came of each: the cipher agreed on, or the refusal's reason.

The client's own OpenSSL is told to have no standards, so that each refusal is the server's.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import warnings

OLD = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
# All but what has forward secrecy and authenticates what it encrypts.
WEAK = "ALL:COMPLEMENTOFALL:-ECDHE+AESGCM:-ECDHE+CHACHA20:@SECLEVEL=0"
GOOD = "ECDHE+AESGCM:ECDHE+CHACHA20"
V = ssl.TLSVersion
ATTEMPTS = {
    "TLS 1.0": (V.TLSv1, OLD),
    "TLS 1.1": (V.TLSv1_1, OLD),
    "TLS 1.2, weak": (V.TLSv1_2, WEAK),
    "TLS 1.2": (V.TLSv1_2, GOOD),
    "TLS 1.3": (V.TLSv1_3, GOOD),
}


def handshake(address: tuple[str, int], version: ssl.TLSVersion, ciphers: str) -> str:
    """Return protocol, cipher and application protocol, or why there was none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    try:
        with socket.create_connection(address, 10) as plain, context.wrap_socket(plain) as secured:
            cipher = secured.cipher()
            return f"{secured.version()} {cipher[0] if cipher else ''} {secured.selected_alpn_protocol()}"
    except ssl.SSLError as error:
        return f"refused with {error.reason}"


if __name__ == "__main__":
    warnings.simplefilter("ignore", DeprecationWarning)
    target = (sys.argv[1], int(sys.argv[2]))
    print(json.dumps({name: handshake(target, *options) for name, options in ATTEMPTS.items()}))
