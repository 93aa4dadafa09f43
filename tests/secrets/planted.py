"""The planted credentials, and the search for them."""

import base64
import random
import string
from urllib.parse import quote

LENGTH = 8  # so many characters of a secret count as a leak
_LETTERS = string.ascii_letters + string.digits

# A fixed seed, so that other processes have the same secrets, which are written nowhere.
_random = random.Random(20110413)  # noqa: S311 - it protects nothing


def _value(prefix, length):
    return prefix + "".join(_random.choices(_LETTERS, k=length))


TOKEN = _value("tok-", 40) + "+/=="
SESSION = _value("ses-", 40)
CUSTOM = _value("cus-", 40)

PAIRS = (
    ("authorization", f"Bearer {TOKEN}"),
    ("cookie", f"session={SESSION}"),
    ("x-sso", CUSTOM),
)
"""The credentials of each request. No tool takes the last name for a secret by itself."""


def _written(secret):
    """The secret in every form in which it might be written."""
    yield secret
    yield secret[::-1]
    yield quote(secret, safe="")
    yield secret.encode().hex()
    yield secret.encode().hex().upper()
    for shift in range(3):  # base64 looks different at each of three offsets
        whole = base64.b64encode(b"\0" * shift + secret.encode()).decode()
        yield whole[4:-4]
        yield whole[4:-4].replace("+", "-").replace("/", "_")


def _pieces():
    for secret in (TOKEN, SESSION, CUSTOM):
        for written in _written(secret):
            for start in range(len(written) - LENGTH + 1):
                yield written[start : start + LENGTH], secret[:4]


PIECES = dict(_pieces())
"""Each piece, with the name of its secret."""


def leaked(text):
    """The secrets in that text, whole or in a piece: of "tok-", "ses-", "cus-"."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    windows = {text[start : start + LENGTH] for start in range(len(text) - LENGTH + 1)}
    return {PIECES[piece] for piece in windows & PIECES.keys()}
