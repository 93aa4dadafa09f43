"""docs/README.md lists every extra."""

from importlib.metadata import metadata

from tests.docs.blocks import ROOT, table


def test_every_extra_is_there():
    listed = [extra for extra, _ in table(ROOT / "docs" / "README.md", "Extras")]
    assert sorted(listed) == sorted(metadata("passthrough-auth").get_all("Provides-Extra"))
