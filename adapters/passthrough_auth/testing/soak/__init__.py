"""The cross-talk soak: many callers at once, well-behaved and not, on every server and framework.

    python -m passthrough_auth.testing.soak --help

Every request has a credential that no other has, so whatever a handler, a stream, a thread or work
after the response sees of another request is noticed, however briefly it saw it. The apps are those
of the conformance suite, the servers real ones, each in a process of its own.

`cell.soak` runs one server with one column. Nothing is imported here, because the servers import
`app` from this package, and their memory is looked at.
"""
