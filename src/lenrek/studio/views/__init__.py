"""The JSON of each view: a module with `router(session)`, served under /api and its name."""

VIEWS = ("samples", "network", "image", "playground", "runs", "map")
