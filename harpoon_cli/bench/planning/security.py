"""Makes what engines need for https out of the names of files, so that it can be sent to their processes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harpoon_cli.values import Struct

if TYPE_CHECKING:
    import ssl


class Security(Struct, frozen=True):
    """PEM files; None: the usual authorities, no certificate of ours.

    Called, it makes the context; `ConfigurationFault` where a file cannot be used.
    """

    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None

    def __call__(self) -> ssl.SSLContext:
        # Loads ssl, which plain http does not need.
        from harpoon_cli.client.connection import Network, tls_context

        files = Network(ca_bundle=self.ca_bundle, client_cert=self.client_cert, client_key=self.client_key)
        return tls_context(files, _trusting_the_usual)


def _trusting_the_usual() -> ssl.SSLContext:
    """As for the control plane: SSL_CERT_FILE, SSL_CERT_DIR, or the authorities that come with httpx."""
    import ssl

    import certifi

    named = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
    return ssl.create_default_context(cafile=None if named else certifi.where())
