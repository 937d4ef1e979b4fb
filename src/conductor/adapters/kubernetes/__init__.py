"""All that Conductor knows of Kubernetes.

So far the pure half: `manifests` (a stack as Kubernetes objects) with `pods`, `containers`, `volumes`, `network` and `kube_names`, and
`unsupported` (what is not carried). Nothing here talks to a cluster yet.
"""
