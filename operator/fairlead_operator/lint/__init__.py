"""What the API server says of a manifest, said without one.  Pure.

The order is its own: unknown fields, defaults, the structure, and only then the CEL rules.  The
schemas are those of the CRDs, built from the types in ``api``.
"""
