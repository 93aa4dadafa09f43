"""A URL has an origin only if every client would connect to that origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from passthrough_auth.core.origin import Origin, origin_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.example.com", Origin("https", "api.example.com", 443)),
        ("https://api.example.com/", Origin("https", "api.example.com", 443)),
        ("https://api.example.com?q=@evil.example", Origin("https", "api.example.com", 443)),
        ("https://api.example.com#@evil.example", Origin("https", "api.example.com", 443)),
        ("https://api.example.com:443/x", Origin("https", "api.example.com", 443)),
        ("HTTPS://API.Example.COM/X", Origin("https", "api.example.com", 443)),
        ("http://api.example.com:8080/x", Origin("http", "api.example.com", 8080)),
        ("wss://api.example.com/live", Origin("https", "api.example.com", 443)),
        ("ws://localhost/live", Origin("http", "localhost", 80)),
        ("https://xn--bcher-kva.example", Origin("https", "xn--bcher-kva.example", 443)),
        ("https://my_service:8443", Origin("https", "my_service", 8443)),
        ("https://10.0.0.1", Origin("https", "10.0.0.1", 443)),
        ("https://[2001:DB8:0::1]:8443/x", Origin("https", "[2001:db8::1]", 8443)),
        (
            "https://good.example.com.evil.example",
            Origin("https", "good.example.com.evil.example", 443),
        ),
        # After the end of the host, no character changes it.
        ("https://api.example.com/\\@evil.example", Origin("https", "api.example.com", 443)),
        ("https://api.example.com/@evil.example:99999", Origin("https", "api.example.com", 443)),
    ],
)
def test_a_plain_url_has_an_origin_in_one_spelling(url, expected):
    assert origin_of(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "//api.example.com",
        "/path",
        "https:api.example.com",
        "https:/api.example.com",
        "https:///api.example.com",
        "https:\\\\api.example.com",
        "ftp://api.example.com",
        "file:///etc/passwd",
        "javascript://api.example.com/%0aalert(1)",
        " https://api.example.com",
        "\thttps://api.example.com",
        "ht\ntps://api.example.com",
        "https://api.example.com\n",
        "https://api.example.com ",
        "https://api.exam\tple.com/",
        "https://api.example.com\r\n.evil.example/",
        "https://api.example.com\x00.evil.example/",
        "https://user@api.example.com",
        "https://user:password@api.example.com",
        "https://:@api.example.com",
        "https://@api.example.com",
        "https://good.example.com@evil.example",
        "https://good.example.com\\@evil.example/",
        "https://good.example.com\\.evil.example/",
        "https://good.example.com:443\\@evil.example/",
        "https://good.example.com;evil.example/",
        "https://good.example.com,evil.example/",
        "https://good.example.com%2eevil.example/",
        "https://good%00.example.com/",
        "https://good.example.com&evil.example/",
        "https://api.example.com.",
        "https://api.example.com./",
        "https://api..example.com",
        "https://.example.com",
        "https://-api.example.com",
        "https://api-.example.com",
        f"https://{'a' * 64}.example.com",
        f"https://{'a.' * 127}example.com",
        "https://*.example.com",
        "https://bücher.example",
        "https://faß.example",
        "https://api.example\u3002com",
        "https://api\uff0eexample.com",
        "https://\u2177.example",
        "https://\u212aelvin.example",
        "https://api.example.com:",
        "https://api.example.com:/",
        "https://api.example.com:0",
        "https://api.example.com:0443",
        "https://api.example.com:65536",
        "https://api.example.com:999999",
        "https://api.example.com:+443",
        "https://api.example.com:44 3",
        "https://api.example.com:\u0664\u0664\u0663",
        "https://api.example.com:443:443",
        "https://127.1",
        "https://0x7f.0.0.1",
        "https://0x7f000001",
        "https://2130706433",
        "https://127.0.0.01",
        "https://256.0.0.1",
        "https://1.2.3.4.5",
        "https://[::1",
        "https://[::1]evil.example",
        "https://[::1%25eth0]",
        "https://[1.2.3.4]",
        "https://[]",
        "https://[v1.fe80::a]",
        "https://::1/",
        "https://api.example.com[::1]/",
    ],
)
def test_a_url_that_could_be_read_in_two_ways_has_no_origin(url):
    assert origin_of(url) is None


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1", True),
        ("http://127.255.255.254", True),
        ("http://[::1]", True),
        ("http://[0:0:0:0:0:0:0:1]", True),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.example.com", False),
        ("http://128.0.0.1", False),
        ("http://0.0.0.0", False),
        ("http://10.0.0.1", False),
        ("http://[::ffff:127.0.0.1]", False),
        ("http://[::2]", False),
    ],
)
def test_only_what_stays_on_the_machine_is_loopback(url, loopback):
    origin = origin_of(url)

    assert origin is not None
    assert origin.is_loopback is loopback


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("HTTPS://API.example.com:443/x?y#z", "https://api.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:443", "http://localhost:443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
    ],
)
def test_an_origin_reads_as_it_is_written(url, text):
    assert str(origin_of(url)) == text


# --- Properties -----------------------------------------------------------------------------------

HOSTILE = st.text(
    st.sampled_from("ahtps:/@\\.%[]#?\t\r\n \x00\u3002\uff0eß\u212a0123:;,-_*xe")
    | st.characters(codec="utf-8"),
    max_size=40,
)


@given(HOSTILE)
def test_every_text_has_an_origin_or_none(text):
    """No text raises an error, also none around or within a URL."""
    for url in (text, f"https://{text}", f"https://good.example.com{text}", f"{text}://a.example"):
        origin_of(url)


@given(HOSTILE)
def test_the_text_of_an_origin_has_the_same_origin(text):
    """Writing an origin as text and reading it again gives the same origin."""
    origin = origin_of(f"https://{text}")

    if origin is not None:
        assert origin_of(str(origin)) == origin
        assert origin_of(str(origin).upper()) == origin


@given(HOSTILE)
def test_text_after_a_host_never_changes_it_to_another(text):
    """Appending to a URL either ends the host there, extends it visibly, or leaves no origin."""
    origin = origin_of(f"https://good.example.com{text}")

    if origin is not None and origin.host != "good.example.com":
        assert origin.host.startswith("good.example.com")
        assert text.lower().startswith(origin.host.removeprefix("good.example.com"))


@given(HOSTILE)
def test_text_before_a_host_never_keeps_the_origin(text):
    """No text before it, such as a user name, makes another URL have this origin."""
    origin = origin_of(f"https://{text}good.example.com")

    if origin is not None and origin.host == "good.example.com":
        assert text == ""


def test_a_host_name_has_at_most_253_characters():
    """RFC 1035 section 2.3.4: 255 octets on the wire, which are 253 characters."""
    labels = ".".join(["a" * 63] * 3)

    assert origin_of(f"https://{labels}.{'b' * 61}") is not None
    assert origin_of(f"https://{labels}.{'b' * 62}") is None
