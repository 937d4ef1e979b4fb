"""A stack as Kubernetes objects: pure conversion, no cluster needed.

Here belongs what turns a `Stack` into manifests and says what cannot be turned: `render`, `unsupported`, and a file for each part of a
pod. What talks to an API server does not.
"""
