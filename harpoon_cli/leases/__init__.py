"""The life of leases: on disk before on the wire, and given back on every way out."""
