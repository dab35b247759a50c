"""The one exception of this package."""


class ClusterError(Exception):
    """Why the cluster cannot be had, in one line that names the thing and the way out."""
