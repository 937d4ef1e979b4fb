"""Images on a cluster, made by Kaniko Jobs in a namespace of their own.

`site` is what an installation decides, and `configuring` reads it from the settings; `place` is the namespace and its bounds, `job` what
one build is; `output` and `endings` read what Kaniko says. `following` and `feeding` talk to a build's pod; `builder` puts it together.

`sbom_job` and `sboms` are the SBOMs of what was built, made in the same place.
"""
