"""Images on a cluster, made by Kaniko Jobs in a namespace of their own.

`site` is what an installation decides, `place` the namespace and its bounds, `job` what one build is; `output` and `endings` read what
Kaniko says. All of these are pure. `following` and `feeding` talk to a build's pod; `builder` puts it together.
"""
