"""The visitor of an open page, in UI frameworks that run handlers outside their requests.

With the middleware installed there is nothing to write: a framework is asked, once the app has
imported it, whose screen the running code serves.
"""

from passthrough_auth.core.caller import Host, Session, Sessions, caller_of, current_session

__all__ = ["Host", "Session", "Sessions", "caller_of", "current_session"]
