"""Names and addresses of the native cluster.

The ranges exist only inside the cluster's own network namespace.  The host has no route to
them and must never be given one: a packet for a pod would then leave the machine whenever the
cluster is down.
"""

NODE_NAME = "fairlead"
NODE_ADDRESS = "172.31.250.1"
POD_RANGE = "10.244.0.0/24"
SERVICE_RANGE = "10.96.0.0/16"
API_SERVICE_ADDRESS = "10.96.0.1"  # the first of the range; Kubernetes picks it
DNS_SERVICE_ADDRESS = "10.96.0.10"

API_PORT = 6443  # inside the namespace
DEFAULT_HOST_PORT = 16443  # where the host finds the API server, on 127.0.0.1
HOST_PORT_VARIABLE = "FAIRLEAD_CLUSTER_PORT"

ETCD_PORT = 2379
ETCD_PEER_PORT = 2380

PAUSE_IMAGE = "localhost/fairlead/pause:1"
